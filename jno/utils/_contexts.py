"""Variables with another value inside a ``with`` block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def context_value(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Give a context variable another value inside; threads that start elsewhere do not see it.

    Example:
        >>> from contextvars import ContextVar
        >>> from jno.utils import context_value
        >>> level = ContextVar("level", default=0)
        >>> with context_value(level, 1):
        ...     level.get()
        1
        >>> level.get()
        0
    """
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
