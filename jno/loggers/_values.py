"""From what trackers give to numbers that can be drawn as curves."""

from __future__ import annotations

import numpy as np
from jax import dtypes
from jaxtyping import Float, Int

_BINS = 64
SCALAR = "value"
"""Name of the only statistic of a single number."""


def as_real_array(value: object) -> Float[np.ndarray, ...] | None:
    """Return a value as float64 array, None when it is empty or not made of real numbers."""
    try:
        array = np.asarray(value)
    except ValueError:  # nested sequences of unequal lengths
        return None
    real = any(dtypes.issubdtype(array.dtype, kind) for kind in (np.floating, np.integer, np.bool_))
    return array.astype(np.float64) if real and array.size else None


def statistics_of(array: Float[np.ndarray, ...]) -> dict[str, float]:
    """Return `{"value": x}` for a single number, else mean, standard deviation, minimum and maximum."""
    if array.size == 1:
        return {SCALAR: float(array.reshape(()))}
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity pass through
        reductions = {"mean": array.mean(), "std": array.std(), "min": array.min(), "max": array.max()}
    return {name: float(number) for name, number in reductions.items()}


def histogram_of(array: Float[np.ndarray, ...]) -> tuple[Int[np.ndarray, _], Float[np.ndarray, _]] | None:
    """Return counts and edges of the finite entries, None for a single number and where there is no histogram."""
    finite = array[np.isfinite(array)]
    if array.size == 1 or not finite.size:
        return None
    try:
        with np.errstate(invalid="ignore", over="ignore"):
            counts, edges = np.histogram(finite, bins=_BINS)
    except (ValueError, IndexError):  # entries too close to each other or too far apart (NumPy 2.0: IndexError)
        return None
    return (counts, edges) if np.all(np.diff(edges) > 0) else None  # NumPy 2.0 returns bins of no width
