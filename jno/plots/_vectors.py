"""Vector fields in the plane, drawn over the map of their norm."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Num

from jno.utils import Axes

_ARROWS = 17
"""Arrows along the longer side."""
_STEPS = 81
"""Points of the grid along the longer side that streamlines are computed on."""


def draw_arrows(axes: Axes, triangulation: Any, vectors: Num[np.ndarray, "N 2"]) -> None:
    """Arrows of the direction and size of a field, on a grid."""
    low, high = _corners(triangulation)
    step = float((high - low).max()) / _ARROWS
    x, y = (np.arange(start + step / 2, stop, step) for start, stop in zip(low, high, strict=True))
    u, v = _on_grid(triangulation, vectors, x, y)
    largest = float(np.nanmax(np.hypot(u, v))) if np.isfinite(u).any() else 0.0
    if largest > 0.0:
        axes.quiver(
            x, y, u, v, color="white", angles="xy", scale_units="xy", scale=largest / step, width=0.004, pivot="mid"
        )


def draw_streamlines(axes: Axes, triangulation: Any, vectors: Num[np.ndarray, "N 2"]) -> None:
    """Lines that are tangent to a field, with an arrow on each; they end at the boundary and where it is zero."""
    low, high = _corners(triangulation)
    counts = np.maximum(3, np.ceil(_STEPS * (high - low) / (high - low).max()).astype(int))
    x, y = (np.linspace(*ends) for ends in zip(low, high, counts, strict=True))
    u, v = _on_grid(triangulation, vectors, x, y)
    if np.isfinite(u).any() and float(np.nanmax(np.hypot(u, v))) > 0.0:
        width, height = np.clip((high - low) / (high - low).max(), 0.2, 1.0)
        axes.streamplot(
            x,
            y,
            np.ma.masked_invalid(u),
            np.ma.masked_invalid(v),
            color="white",
            density=(width, height),
            linewidth=0.8,
            arrowsize=0.8,
        )
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def _corners(triangulation: Any) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]:
    """Lower left and upper right corner of the box around a triangulation."""
    points = np.column_stack([triangulation.x, triangulation.y])
    return points.min(axis=0), points.max(axis=0)


def _on_grid(
    triangulation: Any, vectors: Num[np.ndarray, "N 2"], x: Float[np.ndarray, " X"], y: Float[np.ndarray, " Y"]
) -> list[Num[np.ndarray, "Y X"]]:
    """Both components at the points of a grid, NaN outside of the triangles."""
    from matplotlib.tri import LinearTriInterpolator

    at = np.meshgrid(x, y)
    return [np.ma.filled(LinearTriInterpolator(triangulation, part)(*at), np.nan) for part in vectors.T]
