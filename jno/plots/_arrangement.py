"""From values to rows of panels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Num

from ._labels import FIELD
from ._options import STREAMLINES, PlotOptions
from ._panels import CurvePanel, MapPanel, PlotPanel, SpaceTimePanel, curves_of
from ._places import Places
from ._scales import SIZES, ColorScale, color_scale
from ._space_panels import SpacePanel
from ._values import PlottedValues

_MOST_COMPONENTS = 6
MOST_IN_ROW = 4
_MARGIN = 0.05
_WIDE = 1.8

PanelRow = tuple[PlotPanel, ...]
"""Panels that stand side by side."""


def with_scales(results: Sequence[PlottedValues], options: PlotOptions) -> list[PlottedValues]:
    """The values with their colours, vectors of more components than are drawn with arrows one by one."""
    parts = [part for values in results for part in _parts(values)]
    groups: dict[str, list[PlottedValues]] = {}
    for part in parts:
        key = FIELD if options.share and part.role == FIELD else f"{part.role} {part.label}"
        groups.setdefault(key, []).append(part)
    scales = {
        key: color_scale([_shown(part) for part in members], members[0].role, options.cmap)
        for key, members in groups.items()
    }
    keys = {id(part): key for key, members in groups.items() for part in members}
    lines = options.vectors == STREAMLINES
    if lines and not any(part.is_vector for part in parts):
        raise ValueError(
            f"plot(vectors={STREAMLINES!r}): none of the expressions is a vector field in the plane, with two "
            "components; leave the option out"
        )
    return [
        dataclasses.replace(part, scale=scales[keys[id(part)]], group=keys[id(part)], has_streamlines=lines)
        for part in parts
    ]


def _parts(values: PlottedValues) -> list[PlottedValues]:
    count = values.values.shape[-1]
    if count > _MOST_COMPONENTS:
        raise ValueError(
            f"plot(): {values.label} has {count} components, and at most {_MOST_COMPONENTS} are drawn; choose some of "
            "them, u[..., 0:2]"
        )
    if values.is_vector or count == 1:
        return [values]
    return [values.part(component) for component in range(count)]


def _shown(values: PlottedValues) -> Num[np.ndarray, "T N"]:
    """The norms of vectors, else the values."""
    return np.linalg.norm(values.values, axis=-1) if values.is_vector else values.values[..., 0]


def rows_of(results: Sequence[PlottedValues], *, as_curves: bool) -> list[PanelRow]:
    """The panels of values with scales: curves share a panel, every time of a map has its own.

    Args:
        results: the values.
        as_curves: whether values over a line and several times are curves, not a map.
    """
    lines = [values for values in results if _is_curve(values, as_curves=as_curves)]
    rows = _curve_rows(lines)
    for values in results:
        if not any(values is line for line in lines):
            rows.extend(_map_rows(values))
    if len(rows) > 1 and all(len(row) == 1 for row in rows):
        return wrapped([row[0] for row in rows])
    return rows


def wrapped(panels: Sequence[PlotPanel]) -> list[PanelRow]:
    """Panels in rows of at most four, of wide ones of fewer."""
    widest = max(panel.aspect for panel in panels)
    count = MOST_IN_ROW if widest <= _WIDE else 2 if widest <= 2 * _WIDE else 1
    return [tuple(panels[start : start + count]) for start in range(0, len(panels), count)]


# --- curves -----------------------------------------------------------------------------------------------------------
def _is_curve(values: PlottedValues, *, as_curves: bool) -> bool:
    if values.dimension > 1:
        return False
    is_over_both = values.dimension == 1 and values.times is not None and len(values.times) > 1
    few = values.places is not None and len(values.places.points) < 3
    return not is_over_both or as_curves or few


def _curve_rows(lines: Sequence[PlottedValues]) -> list[PanelRow]:
    """Fields over one kind of axis in one panel, their differences in another."""
    rows: list[PanelRow] = []
    for dimension in (1, 0):
        for is_field in (True, False):
            group = [v for v in lines if (v.role == FIELD) == is_field and v.dimension == dimension]
            curves = [curve for number, v in enumerate(group) for curve in curves_of(v, number, len(group))]
            if curves:
                title = group[0].label if len(group) == 1 else ""
                rows.append((CurvePanel(title, curves=tuple(curves), axis=group[0].names[0] if dimension else "t"),))
    return rows


def curve_limits(results: Sequence[PlottedValues]) -> tuple[float, float]:
    """The range of all values with a margin, for curves that move."""
    bands = [values.values if values.band is None else values.band for values in results if values.dimension == 1]
    low = min(float(np.nanmin(band)) for band in bands)
    high = max(float(np.nanmax(band)) for band in bands)
    margin = _MARGIN * (high - low or 1.0)
    return low - margin, high + margin


# --- maps -------------------------------------------------------------------------------------------------------------
def _map_rows(values: PlottedValues) -> list[PanelRow]:
    assert values.places is not None, "maps are over space"
    assert values.scale is not None, "maps have colours"
    numbers = _shown(values)
    title = rf"$|$ {values.label} $|$" if values.is_vector else values.label
    if values.dimension == 1:
        assert values.times is not None, "a map over a line is one over time"
        x = values.places.points[:, 0]
        panel = SpaceTimePanel(
            title, values.scale, values.group, x=x, times=values.times, values=numbers, axis=values.names[0]
        )
        return [(panel,)]
    panels: list[PlotPanel] = []
    for level, row in enumerate(numbers):
        when = "" if values.times is None else f"t = {values.times[level]:.2f}"
        vectors = values.values[level] if values.is_vector else None
        text = ", ".join(filter(None, (title, when)))
        panels.extend(_panels(text, values, row, vectors, values.scale, values.group))
    if values.band is not None and not values.is_vector:
        widths = (values.band[1] - values.band[0])[..., 0]
        scale = color_scale([widths, np.zeros(1)], FIELD, SIZES)
        for row in widths:
            panels.extend(_panels(f"{title}, width of 95 %", values, row, None, scale, f"{values.group} width"))
    return wrapped(panels)


def _panels(
    title: str,
    plotted: PlottedValues,
    values: Num[np.ndarray, " N"],
    vectors: Num[np.ndarray, "N 2"] | None,
    scale: ColorScale,
    group: str,
) -> list[PlotPanel]:
    """The panels of one time: one, or one for each section."""
    places, names = plotted.places, plotted.names
    assert places is not None, "maps are over space"
    if places.dimension == 2:
        panel = MapPanel(title, scale, group, places=places, values=values, vectors=vectors, names=names[:2])
        return [dataclasses.replace(panel, has_streamlines=plotted.has_streamlines)]
    if not places.sections:
        return [SpacePanel(title, scale, group, places=places, values=values)]
    panels: list[PlotPanel] = []
    for section in places.sections:
        flat = Places(places.points[section.rows][:, section.plane], section.triangles)
        text = f"{title}, {names[section.axis]} = {section.level:.3g}"
        across, up = (names[axis] for axis in section.plane)
        panels.append(MapPanel(text, scale, group, places=flat, values=values[section.rows], names=(across, up)))
    return panels
