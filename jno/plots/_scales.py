"""Colours: which values they stand for, and which panels share them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
from jaxtyping import Num

from ._labels import ABSOLUTE_DIFFERENCE, DIFFERENCE

FIELDS, DIFFERENCES, SIZES = "viridis", "RdBu_r", "magma"


@dataclasses.dataclass(frozen=True)
class ColorScale:
    """A colour map and the values at its ends."""

    name: str
    low: float
    high: float


def color_scale(arrays: Iterable[Num[np.ndarray, ...]], role: str, cmap: str | None) -> ColorScale:
    """The scale of all finite values: symmetric about zero for differences, from zero for their sizes."""
    finite = [array[np.isfinite(array)] for array in arrays]
    low = min((float(values.min()) for values in finite if values.size), default=0.0)
    high = max((float(values.max()) for values in finite if values.size), default=1.0)
    if role == DIFFERENCE:
        size = max(abs(low), abs(high)) or 1.0
        return ColorScale(cmap or DIFFERENCES, -size, size)
    if role == ABSOLUTE_DIFFERENCE:
        return ColorScale(SIZES, 0.0, high or 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):  # constant up to rounding
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    return ColorScale(cmap or FIELDS, low, high)
