"""Pictures of meshes and of sampled points, with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from jno.utils import save_figure

from ..mesh import Mesh

Axes: TypeAlias = Any
Figure: TypeAlias = Any
"""Of matplotlib, which is imported when something is drawn."""

_DPI = 150
_MESH_COLOR, _BOUNDARY_COLOR = "0.75", "0.15"


@dataclass(frozen=True, eq=False)
class PlottedPoints:
    """Sampled points of the first batch row and time level, and their normals."""

    points: Float[np.ndarray, "N D"]
    normals: Float[np.ndarray, "N D"] | None


_LARGEST = 400.0
"""Inches; at 150 dots per inch matplotlib draws no more."""


def checked_figsize(figsize: Any) -> tuple[float, float]:
    """Width and height in inches."""
    try:
        width, height = (float(value) for value in figsize)
    except (TypeError, ValueError, OverflowError):
        width = height = np.nan
    if isinstance(figsize, dict | set) or not (0.0 < width <= _LARGEST and 0.0 < height <= _LARGEST):
        raise ValueError(f"figsize must be two positive finite numbers, width and height in inches; got {figsize!r}.")
    return width, height


def new_axes(dimension: int, figsize: tuple[float, float]) -> tuple[Any, Any]:
    """A figure with labelled axes."""
    # not pyplot: a separate figure leaves the user's figures and backend alone
    from matplotlib.figure import Figure

    if dimension == 3:
        from mpl_toolkits import mplot3d  # noqa: F401  (registers the projection)
    figure = Figure(figsize=figsize, layout="constrained")
    axes = figure.add_subplot(projection="3d" if dimension == 3 else None)
    axes.set_xlabel("x")
    if dimension > 1:
        axes.set_ylabel("y")
    else:
        axes.set_yticks([])
    if dimension == 3:
        axes.set_zlabel("z")  # type: ignore[attr-defined]
    return figure, axes


def _flat(points: Float[np.ndarray, "N D"]) -> tuple[np.ndarray, ...]:
    """Coordinates to draw; an interval is drawn along the x-axis."""
    return (points[:, 0], np.zeros(len(points))) if points.shape[1] == 1 else tuple(points.T)


def _draw_mesh(axes: Axes, mesh: Mesh) -> None:
    boundary = mesh.facets[mesh.facet_sets["boundary"]]
    if mesh.dimension == 1:
        axes.plot(mesh.points[mesh.cells, 0].T, np.zeros((2, len(mesh.cells))), color=_BOUNDARY_COLOR, lw=1)
        axes.plot(*_flat(mesh.points), "|", color=_BOUNDARY_COLOR, ms=8)
    elif mesh.dimension == 2:
        from matplotlib.collections import LineCollection

        axes.triplot(mesh.points[:, 0], mesh.points[:, 1], mesh.cells, color=_MESH_COLOR, lw=0.5)
        axes.add_collection(LineCollection(list(mesh.points[boundary]), colors=_BOUNDARY_COLOR, linewidths=1.5))
    else:
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        faces = Poly3DCollection(
            list(mesh.points[boundary]), facecolors=(0.7, 0.8, 0.9, 0.25), edgecolors=_MESH_COLOR, linewidths=0.4
        )
        axes.add_collection3d(faces)
        axes.auto_scale_xyz(*mesh.points.T)


def _draw_points(axes: Axes, sets: Mapping[str, PlottedPoints]) -> None:
    for name, point_set in sets.items():
        axes.scatter(*_flat(point_set.points), s=10, label=f"{name} ({len(point_set.points)})", zorder=3)
    if sets:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)


def _draw_normals(axes: Axes, point_set: PlottedPoints, length: float) -> None:
    if point_set.normals is None:
        return
    start, arrow = point_set.points, length * point_set.normals
    if start.shape[1] == 3:
        axes.quiver(*start.T, *arrow.T, color="0.3", linewidth=0.6)
        return
    along = _flat(arrow)
    axes.quiver(*_flat(start), *along, color="0.3", angles="xy", scale_units="xy", scale=1.0, width=0.002, zorder=2)


def _save(figure: Figure, axes: Axes, dimension: int, path: Path) -> None:
    if dimension > 1:
        # in space this fixes the limits that the axes have now, so it comes last
        axes.set_aspect("equal", adjustable="datalim" if dimension == 3 else None)
    save_figure(figure, path, _DPI)


def draw_mesh(path: Path, figsize: tuple[float, float], mesh: Mesh, sets: Mapping[str, PlottedPoints]) -> None:
    """The mesh, its boundary, and sampled points."""
    figure, axes = new_axes(mesh.dimension, figsize)
    _draw_mesh(axes, mesh)
    _draw_points(axes, sets)
    axes.set_title(f"{len(mesh.points)} nodes, {len(mesh.cells)} {mesh.cell_kind} cells")
    _save(figure, axes, mesh.dimension, path)


def draw_points(
    path: Path,
    figsize: tuple[float, float],
    sets: Mapping[str, PlottedPoints],
    *,
    show_normals: bool,
    arrow_scale: float,
) -> None:
    """Sampled points per tag with their normals as arrows."""
    points = np.concatenate([point_set.points for point_set in sets.values()])
    figure, axes = new_axes(points.shape[1], figsize)
    _draw_points(axes, sets)
    if show_normals:
        size = float(np.ptp(points, axis=0).max()) or 1.0
        for point_set in sets.values():
            _draw_normals(axes, point_set, arrow_scale * size)
        axes.margins(arrow_scale + 0.05)
    _save(figure, axes, points.shape[1], path)
