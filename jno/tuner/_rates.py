"""Optimizers that get their learning rate from a configuration."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeGuard

from jno.trace import Optimizer, Scale


def takes_rate(optimizer: object) -> TypeGuard[Callable[..., Any]]:
    """Whether an optimizer is a factory with a parameter ``learning_rate``."""
    return callable(optimizer) and "learning_rate" in inspect.signature(optimizer).parameters


def needs_rate(optimizer: Optimizer) -> bool:
    """Whether that parameter has no default."""
    if not takes_rate(optimizer):
        return False
    return inspect.signature(optimizer).parameters["learning_rate"].default is inspect.Parameter.empty


def at_rate(optimizer: Callable[..., Any], rate: Scale) -> tuple[Callable[..., Any], Scale | None]:
    """The factory with a learning rate, and the factor of its updates: a schedule multiplies a rate of one."""
    if callable(rate):
        return functools.partial(optimizer, learning_rate=1.0), rate
    return functools.partial(optimizer, learning_rate=float(rate)), None
