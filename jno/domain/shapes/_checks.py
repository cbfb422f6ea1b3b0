"""Checked arguments of shapes."""

from __future__ import annotations

import numpy as np

from jno.utils import is_integral, is_real

_SHORTEST = 1e-100
"""A length whose area and volume floats still hold."""


def checked_pair(name: str, values: object) -> tuple[float, float]:
    """Two finite numbers."""
    pair = tuple(values) if isinstance(values, (tuple, list, np.ndarray)) else ()
    if len(pair) != 2 or not all(is_real(v) for v in pair):
        raise ValueError(f"{name} must be two finite numbers; got {values!r}.")
    return float(pair[0]), float(pair[1])


def checked_length(name: str, value: object) -> float:
    """A positive finite number whose square is one too."""
    if not is_real(value) or value <= 0.0:
        raise ValueError(f"{name} must be a positive finite number; got {value!r}.")
    if not _SHORTEST <= value <= 1.0 / _SHORTEST:
        raise ValueError(f"{name} must lie between {_SHORTEST:g} and {1.0 / _SHORTEST:g}; got {value!r}.")
    return float(value)


def checked_range(name: str, values: object) -> tuple[float, float]:
    """Two different finite numbers."""
    pair = tuple(values) if isinstance(values, (tuple, list, np.ndarray)) else ()
    numbers = len(pair) == 2 and all(is_real(v) for v in pair)
    if not numbers or pair[0] == pair[1]:
        raise ValueError(f"{name} must be two different finite numbers (first, last); got {values!r}.")
    return float(pair[0]), float(pair[1])


def checked_size(mesh_size: object) -> float:
    """A mesh size."""
    return checked_length("mesh_size", mesh_size)


def checked_count(name: str, count: object, least: int) -> int:
    """An integer of at least `least`."""
    if not is_integral(count, least):
        raise ValueError(f"{name} must be an integer of at least {least}; got {count!r}.")
    return int(count)
