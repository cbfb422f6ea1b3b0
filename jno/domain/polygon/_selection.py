"""What a predicate selects on a polygon domain: a part of the area, or a part of the boundary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from jno.utils import takes

from ..geometry import NoSuchRegion, Where, checked_where, facet_mask
from ._geometry import clip_to, on_segments, polygonal
from ._shapes import Area, Curve, PolygonRegion, Selection


@dataclass(frozen=True, eq=False)
class Part:
    """The part of a tag in which a predicate holds.

    Attributes:
        where: the predicate, in terms of points.
        parent: the tag, `interior` or `boundary`.
    """

    where: Where
    parent: str


def locate(name: str, where: object, table: Mapping[str, PolygonRegion], slack: float) -> Part | None:
    """The predicate in terms of points and the tag it selects from; `None` when it selects nothing.

    A predicate that holds on a set of positive area selects from the interior. One that holds on a part of the boundary
    only, as `x == 0` does, selects from the boundary and has normals.
    """
    checked = checked_where(name, where, slack)
    if checked.on_facets is not None:
        return _part_of_facets(name, checked, table, slack)
    parents = [parent for parent in ("interior", "boundary") if parent in table]
    return next((Part(checked, parent) for parent in parents if _holds_on(name, checked, table[parent], slack)), None)


def _holds_on(name: str, where: Where, parent: PolygonRegion, slack: float) -> bool:
    """Whether a predicate holds on a part of a region that has a measure."""
    if where.is_shape:
        return _cut(parent, where, slack) is not None
    return Selection.of(name, parent, where.at_points).share() > 0.0


def _part_of_facets(name: str, where: Where, table: Mapping[str, PolygonRegion], slack: float) -> Part | None:
    boundary = table.get("boundary")
    if not isinstance(boundary, Curve):
        return None
    segments = boundary.segments[selected_edges(name, where, boundary, table, slack)]
    if not len(segments):
        raise NoSuchRegion(
            f"where= of tag {name!r} selects none of the {len(boundary.segments)} edges of the boundary."
        )
    return Part(Where(where.definition, _near(segments, slack), where.on_facets), "boundary")


def selection(name: str, part: Part, table: Mapping[str, PolygonRegion], slack: float) -> PolygonRegion | None:
    """The region that a predicate selects; exact for shapely geometries, by rejection for the others."""
    parent = table.get(part.parent)
    if parent is None:
        return None
    return _cut(parent, part.where, slack) if part.where.is_shape else Selection.of(name, parent, part.where.at_points)


def _cut(region: PolygonRegion, where: Where, slack: float) -> PolygonRegion | None:
    """The part of the interior or of the boundary in a shapely geometry, `None` when there is none."""
    if isinstance(region, Area):
        area = polygonal(region.polygon.intersection(where.definition))
        return Area(area) if area.area > slack**2 else None
    if isinstance(region, Curve):
        segments, owner = clip_to(where.definition.buffer(slack), region.segments, slack)
        return Curve(segments, region.normals[owner]) if len(segments) else None
    return None


def _near(segments: Float[np.ndarray, "E 2 2"], slack: float) -> Callable[..., Any]:
    def inside(x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> np.ndarray:
        return on_segments(np.stack([x, y], axis=1), segments, slack)

    return inside


def selected_edges(
    name: str, where: Where, boundary: Curve, table: Mapping[str, PolygonRegion], slack: float
) -> Bool[np.ndarray, " E"]:
    """Edges of the boundary for which a facet predicate holds under any of the names of the edge."""
    middle = boundary.segments.mean(axis=1)
    selected = np.zeros(len(middle), dtype=bool)
    for tag, region in table.items():
        if not isinstance(region, Curve):
            continue
        mine = np.flatnonzero(on_segments(middle, region.segments, slack))
        if len(mine):
            selected[mine] |= facet_mask(name, where, middle[mine], boundary.normals[mine], tag)
    return selected


def edges_by_midpoint(name: str, where: Callable[..., Any], boundary: Curve) -> np.ndarray:
    """Edges whose midpoint satisfies `f(x, y)`, called with two numbers."""
    if not takes(where, 2):
        raise TypeError(f"region({name!r}): where must be a predicate f(x, y) -> bool of two numbers; got {where!r}.")
    answers = [where(float(x), float(y)) for x, y in boundary.segments.mean(axis=1)]
    for answer in answers:
        if not isinstance(answer, bool | np.bool_) and np.asarray(answer).dtype.kind != "b":
            raise TypeError(f"region({name!r}): the predicate where must return True or False; got {answer!r}.")
    selected = np.array([bool(answer) for answer in answers], dtype=bool)
    if not np.any(selected):
        raise ValueError(
            f"region({name!r}): the predicate holds at the midpoint of none of the {len(selected)} edges of the "
            "boundary. It selects whole edges; use tag(name, where=...) for a part of an edge."
        )
    return boundary.segments[selected]
