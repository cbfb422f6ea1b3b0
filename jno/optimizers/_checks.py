"""Checks of the numbers an optimizer is built with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from jaxtyping import ArrayLike

from jno.utils import NUMBER, takes

Rate: TypeAlias = ArrayLike | Callable[[Any], Any]
"""A learning rate: a number, or an optax schedule of the step."""


def require(function: str, name: str, value: object, holds: Callable[[Any], bool], allowed: str) -> None:
    """Refuse what is not a number that is allowed; the range of arrays is not looked at, they may be traced.

    Raises:
        ValueError: ``value`` is no finite number, or one for which ``holds`` is false.
    """
    if not NUMBER.accepts(value) or (isinstance(value, int | float) and not holds(value)):
        raise ValueError(f"{function}: {name} must be {allowed}, got {value!r}")


def require_rate(function: str, name: str, value: object) -> None:
    """Refuse what is neither a number of at least 0 nor a schedule of the step.

    Raises:
        ValueError: naming the argument.
    """
    if not (callable(value) and takes(value, 1)):
        schedule = "" if isinstance(value, int | float) else ", or a schedule of the step"
        require(function, name, value, is_not_negative, f"at least 0{schedule}")


def is_fraction(value: float | int) -> bool:
    """Whether ``0 <= value < 1``."""
    return 0 <= value < 1


def is_not_negative(value: float | int) -> bool:
    """Whether ``value >= 0``; false for nan."""
    return value >= 0
