"""Interactive pictures as HTML, with plotly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jno.utils import from_extra, write_atomically

from ..mesh import Mesh
from ._mesh_export import padded
from ._plots import PlottedPoints


def _import_plotly() -> Any:
    with from_extra("viz", "Interactive HTML pictures need plotly"):
        import plotly.graph_objects as graph_objects
    return graph_objects


def _edges(mesh: Mesh) -> np.ndarray:
    """Start, end and a gap for every edge, in space only of the boundary."""
    cells = mesh.facets[mesh.facet_sets["boundary"]] if mesh.dimension == 3 else mesh.cells
    pairs = [cells[:, [i, j]] for i in range(cells.shape[1]) for j in range(i)]
    edges = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    gaps = np.full((len(edges), 1, 3), np.nan)
    return np.concatenate([padded(mesh.points)[edges], gaps], axis=1).reshape(-1, 3)


def write_html(path: Path, mesh: Mesh | None, sets: Mapping[str, PlottedPoints]) -> None:
    """Edges of the mesh and sampled points in a page that needs no network."""
    plotly = _import_plotly()
    traces = []
    if mesh is not None:
        x, y, z = _edges(mesh).T
        traces.append(plotly.Scatter3d(x=x, y=y, z=z, mode="lines", name="mesh", line={"color": "#bbbbbb", "width": 1}))
    for name, point_set in sets.items():
        x, y, z = padded(point_set.points).T
        traces.append(plotly.Scatter3d(x=x, y=y, z=z, mode="markers", name=name, marker={"size": 3}))
    figure = plotly.Figure(traces)
    figure.update_layout(scene={"aspectmode": "data"})
    write_atomically(path, figure.to_html(include_plotlyjs=True).encode())
