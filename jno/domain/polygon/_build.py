"""From what a user gives to the scene of a polygon domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import _shapely as shapely
from .._shapely import Shape, is_shapely
from ..mesh import check_tag_name
from ..sampling import NAMES, check_name
from ._geometry import checked_area, checked_segments, polygon_from_vertices, ring_segments, tolerance, unique_names
from ._scene import PolygonScene

DEFAULT_NAME = "polygon"
Source = tuple[Any, np.ndarray]
_RESERVED_KEYS = ("interior", "boundary", "*")


def source(name: str, value: object) -> Source:
    """A region and its edges, from a shapely geometry or from vertices."""
    check_tag_name(name)
    if is_shapely(value):
        area = checked_area(name, value)
        return area, ring_segments(area)
    return polygon_from_vertices(name, value)


def sources(regions: object, *, skip_empty: bool) -> dict[str, Source]:
    """All regions of a mapping; geometries without area can be skipped."""
    if not isinstance(regions, Mapping):
        raise TypeError(f"Regions must be a dict name -> polygon; got {type(regions).__name__}.")
    named = {name: source(name, value) for name, value in unique_names(regions).items()}
    return {name: entry for name, entry in named.items() if entry[0].area > 0.0 or not skip_empty}


def _with_edges(named: dict[str, Source], edges: Mapping[Any, Any] | None) -> dict[str, Source]:
    """The regions with the edges that the user numbered."""
    numbered = {} if edges is None else unique_names(edges)
    unknown = sorted(set(numbered) - set(named))
    if unknown:
        raise ValueError(f"source_edges= names the unknown region(s) {unknown}; regions: {sorted(named)}.")
    return {
        name: (area, checked_segments(name, numbered[name]) if name in numbered else segments)
        for name, (area, segments) in named.items()
    }


def scene_from(active: Shape, named: Mapping[str, Source]) -> PolygonScene:
    """A scene without samplers; its tags are worked out, so that ambiguous names are found."""
    scene = PolygonScene(
        active,
        {name: area for name, (area, _) in named.items()},
        {name: segments for name, (_, segments) in named.items()},
    )
    assert scene.table is not None
    return scene


def scene_from_regions(named: Mapping[str, Source]) -> PolygonScene:
    """The scene whose geometry is the union of its regions."""
    return scene_from(shapely.union_all([area for area, _ in named.values()]) if named else shapely.Polygon(), named)


def build_scene(
    vertices: object,
    name: str = DEFAULT_NAME,
    geometry: object = None,
    regions: object = None,
    source_edges: Mapping[Any, Any] | None = None,
) -> PolygonScene:
    """The scene of the arguments of `jno.domain.csg`."""
    if vertices is not None and geometry is not None:
        raise ValueError("Give either vertices or geometry=, not both.")
    if isinstance(vertices, Mapping):
        if regions is not None:
            raise ValueError("Give the regions either as the first argument or as regions=, not both.")
        vertices, regions = None, vertices
    outline = geometry if vertices is None else vertices
    if outline is None and regions is None:
        raise ValueError("You must provide a geometry: vertices, a shapely geometry, or a dict of regions.")
    named = {} if regions is None else sources(regions, skip_empty=True)
    if outline is None:
        return scene_from_regions(_with_edges(named, source_edges))
    active, edges = source(str(name), outline)
    if active.area <= tolerance(active) ** 2 and not active.is_empty:
        raise ValueError(f"Invalid polygon {name!r}: the geometry has zero area.")
    if not is_shapely(outline) or name != DEFAULT_NAME:
        if name in named:
            raise ValueError(f"Duplicate region name(s) [{name!r}]: name= is also a key of regions=.")
        named = {str(name): (active, edges), **named}
    return scene_from(active, _with_edges(named, source_edges))


def registry(
    what: str, default: object, entries: Mapping[Any, Any] | None, scene: PolygonScene, regions: Iterable[str] = ()
) -> dict[str, Any]:
    """A registry by region, kind or tag; `default` is for everything else."""
    registered = {} if entries is None else unique_names(entries)
    allowed = {*_RESERVED_KEYS, *scene.regions, *scene.names, *regions}
    unknown = sorted(set(registered) - allowed)
    if unknown:
        raise ValueError(
            f"{what}= names the unknown region(s) {unknown}; allowed: {sorted(scene.regions)}, "
            f"{', '.join(map(repr, _RESERVED_KEYS))} and tags."
        )
    return registered if default is None else {"*": default, **registered}


def check_samplers(samplers: Mapping[str, Any], scene: PolygonScene) -> None:
    """Samplers are callables (geometry, n) -> points, or names; they are for interior tags."""
    for name, sampler in samplers.items():
        if name not in scene.regions and (name == "boundary" or (name in scene.names and scene.is_boundary(name))):
            raise ValueError(
                f"samplers= are for interior tags; {name!r} is a boundary. Its points are drawn uniformly by length, "
                "or by a named sampler given with the count, e.g. sample=(n, 'equispaced')."
            )
        if isinstance(sampler, str):
            check_name(name, sampler)
        elif not callable(sampler):
            raise ValueError(
                f"The sampler of {name!r} must be a callable (geometry, n) -> points (n, 2) or one of "
                f"{', '.join(NAMES)}; got {sampler!r}."
            )
