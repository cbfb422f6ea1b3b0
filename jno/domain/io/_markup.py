"""What notebooks show of a domain: its facts and a picture of its tags."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from jno.utils import Markup, html_table, image_of

from ..geometry import Geometry
from ..sampling import DomainView
from ._plots import new_axes

_SIZE = (5.2, 3.6)
_MOST_LINES = 40_000
"""Cells of a mesh that are drawn one by one."""
_MOST_TAGS = 12
_DRAWN = 200
"""Points of a part of a shape that has no edges."""


def markup(self: DomainView) -> str:
    """A table of facts and a picture, as HTML."""
    geometry = self.geometry
    rows = [("dimension", geometry.dimension), ("points", f"{len(geometry.points):,}")]
    if geometry.mesh is not None:
        rows.append(("cells", f"{len(geometry.mesh.cells):,} {geometry.mesh.cell_kind}"))
    times = "steady" if self.time is None else self.time
    rows += [("samples", self.total_samples), ("times", times), ("tags", ", ".join(self.sampled_tags))]
    if self.samples.user_data:
        rows.append(("data", ", ".join(sorted(self.samples.user_data))))
    picture = _picture(geometry) if geometry.dimension <= 3 else Markup()
    return html_table((), rows) + picture


def _picture(geometry: Geometry) -> Markup:
    figure, axes = new_axes(geometry.dimension, _SIZE)
    _draw_cells(axes, geometry)
    boundaries = [name for name in geometry.names if geometry.is_boundary(name)]
    parts = [name for name in boundaries if name != "boundary"] or boundaries
    for number, name in enumerate(_without_repetition(geometry, parts)[:_MOST_TAGS]):
        _draw_boundary(axes, geometry, name, f"C{number}")
    if geometry.is_cloud:
        for name in geometry.names[:_MOST_TAGS]:
            _scatter(axes, geometry.pool(name), name, None)
    if geometry.dimension > 1:
        axes.set_aspect("equal")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize="small")
    return image_of(figure, "the domain and its tags")


def _without_repetition(geometry: Geometry, names: list[str]) -> list[str]:
    """The tags without those that are the same part of the boundary under another name."""
    parts: dict[bytes, str] = {}
    for name in names:
        parts.setdefault(_points_of(geometry, name).tobytes(), name)
    return list(parts.values())


def _points_of(geometry: Geometry, name: str) -> Float[np.ndarray, "N D"]:
    """The nodes of a tag, or some points of a shape: always the same ones."""
    if name in geometry.tags or geometry.lazy is None:
        return geometry.pool(name)
    points: np.ndarray = geometry.lazy.drawable_region(name).draw(_DRAWN, None, np.random.default_rng(0))[0]
    return points


def _draw_cells(axes: Any, geometry: Geometry) -> None:
    mesh = geometry.mesh
    if mesh is None or mesh.dimension == 3:
        return
    if mesh.dimension == 1:
        axes.plot(mesh.points[:, 0], np.zeros(len(mesh.points)), "|-", color="0.6", linewidth=0.8)
    elif len(mesh.cells) <= _MOST_LINES:
        axes.triplot(mesh.points[:, 0], mesh.points[:, 1], mesh.cells, color="0.8", linewidth=0.4)


def _draw_boundary(axes: Any, geometry: Geometry, name: str, color: str) -> None:
    if geometry.dimension != 2 or not _has_segments(geometry, name):
        _scatter(axes, _points_of(geometry, name), name, color)
        return
    from matplotlib.collections import LineCollection

    segments = geometry.facets_of(name).corners
    axes.add_collection(LineCollection(list(segments), colors=color, linewidths=2.0, label=name))
    axes.autoscale_view()


def _has_segments(geometry: Geometry, name: str) -> bool:
    if name in geometry.tags:
        return geometry.tags[name].facets is not None
    try:
        geometry.facets_of(name)
    except ValueError:  # round, or given by a predicate
        return False
    return True


def _scatter(axes: Any, points: Any, name: str, color: str | None) -> None:
    columns = [points[:, 0], np.zeros(len(points))] if points.shape[1] == 1 else list(points.T)
    axes.scatter(*columns, s=8, color=color, label=name, zorder=3)
