"""Vectors of degrees of freedom, as users pass them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def real_numbers(values: object) -> Float[np.ndarray, ...] | None:
    """Real numbers as an array; None for what is none."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def described(array: Float[np.ndarray, ...] | None) -> str:
    """An array in messages."""
    return "no array of real numbers" if array is None else f"an array of shape {array.shape}"
