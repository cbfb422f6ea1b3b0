"""Checks of the numbers an optimizer is built with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from jaxtyping import ArrayLike

Rate: TypeAlias = ArrayLike | Callable[[Any], Any]
"""A learning rate: a number, or an optax schedule of the step."""


def require(function: str, name: str, value: object, holds: Callable[[Any], bool], allowed: str) -> None:
    """Refuse a Python number that is not allowed; arrays pass, they may be traced.

    Raises:
        ValueError: ``value`` is a number for which ``holds`` is false.
    """
    if isinstance(value, int | float) and not holds(value):
        raise ValueError(f"{function}: {name} must be {allowed}, got {value!r}")


def is_fraction(value: float | int) -> bool:
    """Whether ``0 <= value < 1``."""
    return 0 <= value < 1


def is_not_negative(value: float | int) -> bool:
    """Whether ``value >= 0``; false for nan."""
    return value >= 0
