"""From what a user gives to the scene of a polygon domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from jno.sampler import ResamplingStrategy

from .. import _shapely as shapely
from .._shapely import Shape, is_shapely
from ..drawable import NAMES, check_name
from ..mesh import check_tag_name
from ._geometry import checked_area, checked_segments, polygon_from_vertices, ring_segments, tolerance, unique_names
from ._scene import PolygonScene

DEFAULT_NAME = "polygon"
_RESERVED_KEYS = ("interior", "boundary", "*")


@dataclass(frozen=True, eq=False)
class SourceRegion:
    """A region that the user gave: its area and its edges, numbered as their tags are."""

    area: Shape
    edges: Float[np.ndarray, "E 2 2"]


def source_region(name: str, value: object) -> SourceRegion:
    """A region from a shapely geometry or from vertices."""
    check_tag_name(name)
    if is_shapely(value):
        area = checked_area(name, value)
        return SourceRegion(area, ring_segments(area))
    return SourceRegion(*polygon_from_vertices(name, value))


def source_regions(regions: object, *, skip_empty: bool) -> dict[str, SourceRegion]:
    """All regions of a mapping; geometries without area can be skipped."""
    if not isinstance(regions, Mapping):
        raise TypeError(f"Regions must be a dict name -> polygon; got {type(regions).__name__}.")
    named = {name: source_region(name, value) for name, value in unique_names(regions).items()}
    return {name: region for name, region in named.items() if region.area.area > 0.0 or not skip_empty}


def _with_edges(named: dict[str, SourceRegion], edges: Mapping[Any, Any] | None) -> dict[str, SourceRegion]:
    """The regions with the edges that the user numbered."""
    numbered = {} if edges is None else unique_names(edges)
    unknown = sorted(set(numbered) - set(named))
    if unknown:
        raise ValueError(f"source_edges= names the unknown region(s) {unknown}; regions: {sorted(named)}.")
    return {
        name: replace(region, edges=checked_segments(name, numbered[name])) if name in numbered else region
        for name, region in named.items()
    }


def scene_from(active: Shape, named: Mapping[str, SourceRegion]) -> PolygonScene:
    """A scene without samplers; its tags are worked out, so that ambiguous names are found."""
    areas = {name: region.area for name, region in named.items()}
    scene = PolygonScene(active, areas, {name: region.edges for name, region in named.items()})
    assert scene.table is not None
    return scene


def scene_from_regions(named: Mapping[str, SourceRegion]) -> PolygonScene:
    """The scene whose geometry is the union of its regions."""
    areas = [region.area for region in named.values()]
    return scene_from(shapely.union_all(areas) if areas else shapely.Polygon(), named)


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
    named = {} if regions is None else source_regions(regions, skip_empty=True)
    if outline is None:
        return scene_from_regions(_with_edges(named, source_edges))
    region = source_region(str(name), outline)
    active = region.area
    if active.area <= tolerance(active) ** 2 and not active.is_empty:
        raise ValueError(f"Invalid polygon {name!r}: the geometry has zero area.")
    if not is_shapely(outline) or name != DEFAULT_NAME:
        if name in named:
            raise ValueError(f"Duplicate region name(s) [{name!r}]: name= is also a key of regions=.")
        named = {str(name): region, **named}
    return scene_from(active, _with_edges(named, source_edges))


def with_samplers(
    scene: PolygonScene, default: object, samplers: Mapping[Any, Any] | None, regions: Iterable[str]
) -> PolygonScene:
    """The scene with samplers by region, kind or tag; `default` is for all others."""
    registry = _registry("samplers", default, samplers, scene, regions)
    _check_samplers(registry, scene)
    return replace(scene, samplers=registry)


def with_strategies(
    scene: PolygonScene, default: object, strategies: Mapping[Any, Any] | None, regions: Iterable[str]
) -> PolygonScene:
    """The scene with resampling strategies by region, kind or tag; `default` is for all others."""
    registry = _registry("resampling_strategies", default, strategies, scene, regions)
    for name, strategy in registry.items():
        if not isinstance(strategy, ResamplingStrategy):
            raise TypeError(
                f"The resampling strategy of {name!r} must be one of jno.sampler, such as jno.sampler.rad(); got "
                f"{strategy!r}."
            )
    return replace(scene, strategies=registry)


def _registry(
    what: str, default: object, entries: Mapping[Any, Any] | None, scene: PolygonScene, regions: Iterable[str]
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


def _check_samplers(samplers: Mapping[str, Any], scene: PolygonScene) -> None:
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
