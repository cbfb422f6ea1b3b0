"""Numbers and arrays, recognised without importing JAX."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class ArrayLike(Protocol):
    """A JAX array (or any other array library's)."""

    def __array__(self, *args: Any) -> np.ndarray: ...


def is_value(value: object) -> bool:
    """Whether ``value`` is a number or an array."""
    return isinstance(value, bool | int | float | complex | np.generic | np.ndarray | ArrayLike)
