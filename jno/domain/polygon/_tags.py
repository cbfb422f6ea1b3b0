"""The tags of a polygon domain, worked out from its geometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from .. import _shapely as shapely
from .._shapely import Shape
from ._geometry import clip_to, outward_normals, polygonal, ring_segments, tolerance
from ._shapes import Area, Curve, PolygonRegion

Table = dict[str, PolygonRegion]


@dataclass(frozen=True, eq=False)
class UserCurve:
    """Segments `(E, 2, 2)` named by the user; their normals point out of `inside` (`None`: the active geometry)."""

    segments: Float[np.ndarray, "E 2 2"]
    inside: Any = None


def active_tags(active: Shape) -> Table:
    """`interior` and `boundary`; an empty geometry has none."""
    if active.area <= tolerance(active) ** 2:
        return {}
    segments = ring_segments(active)
    return {"interior": Area(active), "boundary": Curve(segments, outward_normals(segments, active))}


def _add(table: Table, name: str, region: PolygonRegion) -> None:
    if name in table:
        raise ValueError(
            f"The tag {name!r} would name two regions: an edge of one region and another region or tag. Rename "
            "a region."
        )
    table[name] = region


def source_tags(active: Shape, regions: Mapping[str, Any], edges: Mapping[str, np.ndarray]) -> Table:
    """`interior_<name>`, `boundary_<name>` and `boundary_<name>_<i>` of every source region.

    Edges are cut to the closed active geometry: no point is ever drawn where the domain is not. Their normals point
    out of their region while something of it is left, otherwise out of the active geometry (into the hole it left).
    """
    table: Table = {}
    slack = tolerance(active)
    per_edge: list[tuple[str, PolygonRegion]] = []
    for name, region in regions.items():
        part = polygonal(region.intersection(active))
        alive = part.area > slack**2
        if alive:
            _add(table, f"interior_{name}", Area(part, name))
        segments, owner = clip_to(active, edges[name], slack)
        if not len(segments):
            continue
        normals = outward_normals(segments, *((region, active) if alive else (active,)))
        _add(table, f"boundary_{name}", Curve(segments, normals, name))
        for number in np.unique(owner):
            mine = owner == number
            per_edge.append((f"boundary_{name}_{number}", Curve(segments[mine], normals[mine], name)))
    for tag, curve in per_edge:
        _add(table, tag, curve)
    return table


def box_tags(active: Shape) -> Table:
    """`left`, `right`, `bottom`, `top` of a geometry that is an axis-aligned rectangle."""
    if active.is_empty or active.area < (1.0 - 1e-9) * shapely.box(*active.bounds).area:
        return {}
    x0, y0, x1, y1 = active.bounds
    sides = {
        "left": (((x0, y1), (x0, y0)), (-1.0, 0.0)),
        "right": (((x1, y0), (x1, y1)), (1.0, 0.0)),
        "bottom": (((x0, y0), (x1, y0)), (0.0, -1.0)),
        "top": (((x1, y1), (x0, y1)), (0.0, 1.0)),
    }
    return {name: Curve(np.array([segment]), np.array([normal])) for name, (segment, normal) in sides.items()}


def curve_tags(active: Shape, curves: Mapping[str, UserCurve]) -> Table:
    """Boundary tags that the user gave as lines."""
    return {
        name: Curve(curve.segments, outward_normals(curve.segments, active if curve.inside is None else curve.inside))
        for name, curve in curves.items()
    }
