"""Set operations on scenes, and scenes with one more region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _shapely as shapely
from .._shapely import Shape, is_shapely
from ..mesh import check_tag_name
from ._build import source_region
from ._geometry import checked_segments, polygonal, segments_of
from ._scene import PolygonScene
from ._selection import edges_by_midpoint
from ._shapes import Curve
from ._tags import UserCurve

_LINES = ("LineString", "MultiLineString", "LinearRing")
_AREAS = ("Polygon", "MultiPolygon")
_KINDS = (None, "boundary", "interior")


def _merged_regions(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    joint = {name: region.union(right[name]) if name in right else region for name, region in left.items()}
    return joint | {name: region for name, region in right.items() if name not in left}


def _merged_edges(left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [*left, *(name for name in right if name not in left)]
    return {name: np.concatenate([edges[name] for edges in (left, right) if name in edges]) for name in names}


def combine(left: PolygonScene, right: PolygonScene, operation: str) -> PolygonScene:
    """The scene of a set operation on the active geometries; regions and edges of both are kept.

    A region with the same name in both is the union, and the numbers of its edges continue.
    """
    operators = {
        "union": left.active.union,
        "intersection": left.active.intersection,
        "difference": left.active.difference,
        "symmetric_difference": left.active.symmetric_difference,
    }
    return PolygonScene(
        polygonal(operators[operation](right.active)),
        _merged_regions(left.regions, right.regions),
        _merged_edges(left.edges, right.edges),
        {**right.areas, **left.areas},
        {**right.curves, **left.curves},
        {**right.aliases, **left.aliases},
        {**right.selections, **left.selections},
        {**right.pins, **left.pins},
        {},
        {**right.samplers, **left.samplers},
        {**right.strategies, **left.strategies},
    )


def _check_free(scene: PolygonScene, name: str) -> None:
    check_tag_name(name)
    if name in scene.names or name in scene.regions:
        raise ValueError(f"The tag {name!r} exists already; use another name. Tags: {list(scene.names)}.")


def with_region(scene: PolygonScene, name: str, where: object, kind: str | None) -> PolygonScene:
    """The scene with a named region, see `PolygonDomain.region`."""
    _check_free(scene, name)
    if kind is not None and not (isinstance(kind, str) and kind in _KINDS):
        raise ValueError(f"region({name!r}): kind must be 'boundary', 'interior' or None; got {kind!r}.")
    if is_shapely(where):
        return _with_shape(scene, name, where, kind)
    if isinstance(where, str):
        return _with_alias(scene, name, where, kind)
    if not callable(where):
        raise TypeError(
            f"region({name!r}): where must be a shapely geometry, a predicate f(x, y) -> bool or the name of a tag; "
            f"got {type(where).__name__}."
        )
    if kind == "interior":
        raise NotImplementedError(
            f"region({name!r}, kind='interior') from a predicate is not available; use tag(name, where=...) or give "
            "the area as a shapely polygon."
        )
    boundary = scene.table.get("boundary")
    if not isinstance(boundary, Curve):
        raise ValueError(f"region({name!r}): the geometry is empty and has no boundary.")
    return replace(scene, curves={**scene.curves, name: UserCurve(edges_by_midpoint(name, where, boundary))})


def _with_shape(scene: PolygonScene, name: str, where: Shape, kind: str | None) -> PolygonScene:
    if where.geom_type in _AREAS and kind != "boundary":
        region = source_region(name, where)
        if polygonal(region.area.intersection(scene.active)).area <= scene.slack**2:
            raise ValueError(f"region({name!r}): the area lies outside the domain or is empty.")
        return replace(
            scene,
            regions={**scene.regions, name: region.area},
            edges={**scene.edges, name: region.edges},
            areas={**scene.areas, name: name},
        )
    if where.geom_type in _LINES and kind != "interior":
        segments = segments_of(where.geoms if where.geom_type == "MultiLineString" else [where])
        return replace(scene, curves={**scene.curves, name: UserCurve(checked_segments(name, segments[..., :2]))})
    expected = {"boundary": "a LineString", "interior": "a Polygon", None: "a Polygon or LineString"}[kind]
    raise ValueError(f"region({name!r}, kind={kind!r}) needs {expected}; got a shapely {where.geom_type}.")


def _with_alias(scene: PolygonScene, name: str, target: str, kind: str | None) -> PolygonScene:
    if target not in scene.names:
        raise ValueError(f"region({name!r}): unknown tag {target!r};{scene.hint(target)} tags: {list(scene.names)}.")
    target_kind = "boundary" if scene.is_boundary(target) else "interior"
    if kind not in (None, target_kind):
        raise ValueError(f"region({name!r}, kind={kind!r}): the tag {target!r} is of kind {target_kind!r}.")
    return replace(scene, aliases={**scene.aliases, name: scene.aliases.get(target, target)})


def with_segments(scene: PolygonScene, tag: str, segments: Sequence[Any] | np.ndarray, inside: object) -> PolygonScene:
    """The scene with a boundary tag given by segments, see `PolygonDomain.add_boundary_segments`."""
    _check_free(scene, tag)
    curve = UserCurve(checked_segments(tag, segments), _normal_geometry(scene, tag, inside))
    return replace(scene, curves={**scene.curves, tag: curve})


def _normal_geometry(scene: PolygonScene, tag: str, inside: object) -> Any:
    if inside is None or is_shapely(inside):
        return inside
    names = [inside] if isinstance(inside, str) else inside
    if (
        not isinstance(names, Sequence)
        or not names
        or any(not isinstance(name, str) or name not in scene.regions for name in names)
    ):
        raise ValueError(
            f"normal_geometry of {tag!r} must be a region of the domain, a sequence of regions or a shapely geometry; "
            f"got {inside!r}, regions: {sorted(scene.regions)}."
        )
    return shapely.union_all([scene.regions[name] for name in names])
