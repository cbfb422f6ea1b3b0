"""A page with a scene in space to turn and zoom, by plotly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jno.utils import from_extra, write_atomically

from ._places import Places
from ._values import PlottedValues

SCENES = (".html", ".htm")


def write_scene(results: Sequence[PlottedValues], path: Path) -> None:
    """Write a page with a scene for every expression, that needs no network.

    Raises:
        ValueError: values that are not in space.
        ImportError: plotly is not installed.
    """
    flat = [values.label for values in results if values.dimension != 3]
    if flat:
        raise ValueError(
            f"plot({path.name!r}): pages are scenes in space, and {flat[0]} is not in space; write a picture such as "
            ".png"
        )
    plotly = _imported()
    figure = plotly.subplots.make_subplots(
        cols=len(results), specs=[[{"type": "scene"}] * len(results)], subplot_titles=_titles(results)
    )
    for number, values in enumerate(results):
        assert values.places is not None, "values in space have places"
        for trace in _traces(plotly.graph_objects, values, values.places, number, len(results)):
            figure.add_trace(trace, row=1, col=number + 1)
    figure.update_scenes(aspectmode="data")
    write_atomically(path, figure.to_html(include_plotlyjs=True).encode())


def _titles(results: Sequence[PlottedValues]) -> list[str]:
    """Labels without formulas, which take a library that the page does not have."""
    return [
        f"expression {number}" if "\\" in values.label else values.label.strip("$")
        for number, values in enumerate(results, start=1)
    ]


def _imported() -> Any:
    with from_extra("viz", "Pages with a scene need plotly"):
        import plotly
        import plotly.graph_objects
        import plotly.subplots
    return plotly


def _traces(objects: Any, values: PlottedValues, places: Places, number: int, count: int) -> list[Any]:
    assert values.scale is not None, "values of a scene have colours"
    numbers = values.values[-1][:, 0]
    colors = {
        "colorscale": "Viridis" if values.scale.name == "viridis" else "RdBu",
        "cmin": values.scale.low,
        "cmax": values.scale.high,
    }
    bar = {"len": 0.8, "x": (number + 1) / count - 0.02}
    surfaces = [(places.points[s.rows], s.triangles, numbers[s.rows]) for s in places.sections]
    if places.triangles is not None:
        surfaces.append((places.points, places.triangles, numbers))
    if not surfaces:
        x, y, z = places.points.T
        marker = {"size": 3, "color": numbers, "colorbar": bar, **colors}
        return [objects.Scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, name=values.label)]
    traces = []
    for position, (points, triangles, at_points) in enumerate(surfaces):
        (x, y, z), (i, j, k) = points.T, np.asarray(triangles).T
        options = {"showscale": position == 0, "colorbar": bar, **colors}
        traces.append(objects.Mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, intensity=at_points, name=values.label, **options))
    return traces
