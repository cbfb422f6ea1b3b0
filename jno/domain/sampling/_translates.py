"""Points of one boundary that are the translates of the points of another, in the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..geometry import Geometry, nearest_facets
from ._rows import Row, Rows

_TOLERANCE = 1e-5
"""Largest distance of a translated point from the boundary, in units of its extent (distances are in float32)."""


def translated_rows(
    region: str, like: str, points: Sequence[Float[np.ndarray, "N D"]], geometries: Sequence[Geometry]
) -> Rows:
    """The points of one boundary moved onto another, and the outward normals there.

    Args:
        region: boundary tag the points are moved onto.
        like: boundary tag the points belong to.
        points: points of every batch row.
        geometries: geometry of every batch row.

    Raises:
        ValueError: one of the two boundaries is not a translate of the other.
    """
    return tuple(
        Row.of_points(region, *_translated(region, like, row, geometry))
        for row, geometry in zip(points, geometries, strict=True)
    )


def _translated(
    region: str, like: str, points: Float[np.ndarray, "N D"], geometry: Geometry
) -> tuple[Float[np.ndarray, "N _"], Float[np.ndarray, "N _"]]:
    low, high = _box(geometry.facets_of(like).corners)
    facets = geometry.facets_of(region)
    target_low, target_high = _box(facets.corners)
    points, times = np.split(points, [len(low)], axis=1)  # where the points have times, the translates have them too
    tolerance = _TOLERANCE * (float(np.max(high - low)) or 1.0)
    translates = points + (target_low - low)
    nearest, distances = nearest_facets(translates, facets.corners)
    if np.abs((high - low) - (target_high - target_low)).max() > tolerance or distances.max() > tolerance:
        raise ValueError(
            f"variable({region!r}, like={like!r}): the boundary {region!r}, in {_text(target_low, target_high)}, is "
            f"not a translate of {like!r}, in {_text(low, high)}; a moved point misses it by {distances.max():.3g}. "
            "For other pairings evaluate an expression at coordinates computed from those of the other, such as "
            "u(y, x)."
        )
    return np.concatenate([translates, times], axis=1), facets.normals[nearest]


def _box(corners: Float[np.ndarray, "E V D"]) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
    return corners.min(axis=(0, 1)), corners.max(axis=(0, 1))


def _text(low: Float[np.ndarray, " D"], high: Float[np.ndarray, " D"]) -> str:
    return " × ".join(f"[{a:g}, {b:g}]" for a, b in zip(low, high, strict=True))
