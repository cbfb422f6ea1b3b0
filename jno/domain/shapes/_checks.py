"""Checked arguments of shapes."""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real

import numpy as np


def checked_pair(name: str, values: object) -> tuple[float, float]:
    """Two finite numbers."""
    pair = tuple(values) if isinstance(values, (tuple, list, np.ndarray)) else ()
    if len(pair) != 2 or not all(isinstance(v, Real) and isfinite(v) for v in pair):
        raise ValueError(f"{name} must be two finite numbers; got {values!r}.")
    return float(pair[0]), float(pair[1])


def checked_length(name: str, value: object) -> float:
    """A positive finite number."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0.0 < float(value) < float("inf"):
        raise ValueError(f"{name} must be a positive finite number; got {value!r}.")
    return float(value)


def checked_range(name: str, values: object) -> tuple[float, float]:
    """Two different finite numbers."""
    pair = tuple(values) if isinstance(values, (tuple, list, np.ndarray)) else ()
    numbers = len(pair) == 2 and all(isinstance(v, Real) and isfinite(v) for v in pair)
    if not numbers or pair[0] == pair[1]:
        raise ValueError(f"{name} must be two different finite numbers (first, last); got {values!r}.")
    return float(pair[0]), float(pair[1])


def checked_size(mesh_size: object) -> float:
    """A mesh size."""
    return checked_length("mesh_size", mesh_size)


def checked_count(name: str, count: object, least: int) -> int:
    """An integer of at least `least`."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {count!r}.")
    return int(count)
