"""Everything that a polygon domain knows about its geometry; immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
from jaxtyping import Float

from jno.utils import get_logger

from .._shapely import Shape
from ..drawable import NAMES, Sampler
from ..geometry import LazyRegions, NearestNode
from ..mesh import Facets
from ._geometry import ring_segments, tolerance, undirected
from ._selection import Part, locate, selection
from ._shapes import Curve, PolygonRegion, Selection
from ._tags import Table, UserCurve, active_tags, box_tags, curve_tags, source_tags

_EVERY = "*"


@dataclass(frozen=True, eq=False)
class PolygonScene(LazyRegions):
    """A polygonal geometry and its named regions.

    Attributes:
        active: the shapely geometry of the domain.
        regions: source region -> shapely geometry.
        edges: source region -> its edges `(E, 2, 2)`, numbered as their tags are.
        areas: interior tag -> source region of the same geometry.
        curves: boundary tags given by lines.
        aliases: further names of tags.
        selections: tags given by predicates.
        pins: tags of single nodes, which exist on meshes only.
        interfaces: curves between two source regions, known after meshing.
        samplers: region or kind of region -> sampler of its interior; `"*"` is for all others.
        strategies: region or kind of region -> resampling strategy; `"*"` is for all others.
    """

    active: Shape
    regions: Mapping[str, Shape] = field(default_factory=dict)
    edges: Mapping[str, np.ndarray] = field(default_factory=dict)
    areas: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, UserCurve] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    selections: Mapping[str, Part] = field(default_factory=dict)
    pins: Mapping[str, NearestNode] = field(default_factory=dict)
    interfaces: Mapping[str, Curve] = field(default_factory=dict)
    samplers: Mapping[str, Any] = field(default_factory=dict)
    strategies: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def table(self) -> Table:
        """Tag -> region."""
        table = active_tags(self.active)
        table |= source_tags(self.active, self.regions, self.edges)
        table |= curve_tags(self.active, self.curves)
        table |= {
            name: table[f"interior_{region}"] for name, region in self.areas.items() if f"interior_{region}" in table
        }
        table = {**box_tags(self.active), **self.interfaces, **table} if table else {}
        for name, part in self.selections.items():
            region = selection(name, part, table, self.slack)
            if region is not None:
                table[name] = region
        table |= {name: table[target] for name, target in self.aliases.items() if target in table}
        order = ("interior", "boundary")
        return {name: table[name] for name in (*order, *table) if name in table}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.table)

    @property
    def dimension(self) -> int:
        return 2

    @property
    def predicates(self) -> Mapping[str, Any]:
        return {name: part.where.definition for name, part in self.selections.items()} | dict(self.pins)

    @property
    def bounds(self) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
        corners = self.walls().reshape(-1, 2)
        return corners.min(axis=0), corners.max(axis=0)

    @property
    def can_mesh(self) -> bool:
        return True

    @property
    def meshless(self) -> str:
        return (
            "This polygon domain has no mesh yet; call build_mesh(mesh_size) first, or use .mean() for a Monte-Carlo "
            "average."
        )

    def on_nodes(self, name: str) -> Callable[..., Any] | None:
        if name in self.pins:
            return self.pins[name]
        return self.selections[name].where.at_points if name in self.table and name in self.selections else None

    def hint(self, name: object) -> str:
        for left, right in permutations(self.regions, 2):
            if name == f"interface_{left}_{right}":
                return (
                    f" {name!r} exists once build_mesh(mesh_size) has found a line that the regions {left!r} and "
                    f"{right!r} share; call it first."
                )
        return ""

    @property
    def slack(self) -> float:
        """Distance within which a point lies on a line."""
        return tolerance(self.active)

    def is_boundary(self, name: str) -> bool:
        return self.table[name].is_boundary

    def _registered(self, registry: Mapping[str, Any], name: str) -> Any:
        """The entry for a tag: by its own name, its region, its kind, or the one for everything."""
        region = self.table[name]
        kind = "boundary" if region.is_boundary else "interior"
        keys = (name, kind, _EVERY) if region.owner is None else (name, region.owner, kind, _EVERY)
        return next((registry[key] for key in keys if key in registry), None)

    def sampler(self, name: str) -> Any:
        """The sampler registered for a tag; boundaries and predicate regions always use the built-in one."""
        region = self.table[name]
        if region.is_boundary or isinstance(region, Selection):
            return None
        return self._registered(self.samplers, name)

    def strategy(self, name: str) -> Any:
        return self._registered(self.strategies, name)

    def draw(
        self, name: str, count: int, sampler: Sampler | None, generator: np.random.Generator
    ) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, "n D"] | None]:
        region, placement = self.table[name], self.placement(name, sampler)
        if placement is None or isinstance(placement, str):
            return region.draw(count, placement, generator)
        return _custom_points(name, region, placement, count), None

    def placement(self, name: str, sampler: Sampler | None) -> Any:
        if self.table[name].is_boundary and callable(sampler):
            get_logger().once(
                f"The sampler of {name!r} is ignored: callable samplers place points in areas. Points of a boundary "
                "tag are drawn uniformly by length, or by a named sampler such as 'equispaced'.",
                level="warning",
            )
            sampler = None
        return self.sampler(name) if sampler is None else sampler

    def drawable_region(self, name: str) -> PolygonRegion:
        return self.table[name]

    def measure(self, name: str) -> float:
        region = self.table[name]
        if isinstance(region, Selection):
            raise ValueError(
                f"The tag {name!r} is given by a predicate, so its area or length is not known exactly; give it as a "
                "shapely geometry."
            )
        return region.measure

    def curve(self, name: str) -> Facets:
        region = self.table[name]
        if not isinstance(region, Curve):
            raise ValueError(
                f"The tag {name!r} is given by a predicate and has no edges of its own; name it by region(name, where) "
                "or give a shapely geometry to tag(name, where)."
            )
        return Facets(region.segments, region.normals)

    def outline(self, name: str) -> Float[np.ndarray, "E 2 2"]:
        region = self.table[name]
        if isinstance(region, Selection):
            raise ValueError(
                f"The tag {name!r} is given by a predicate and has no outline; give it as a shapely geometry, or write "
                "the coefficient with jno.np.where."
            )
        return ring_segments(region.geometry)

    def region_edges(self) -> Float[np.ndarray, "K 2 2"]:
        """The boundary, and the edges of all regions."""
        names = ["boundary", *(f"boundary_{name}" for name in self.regions)]
        return self._edges_of(names)

    def curve_edges(self) -> Float[np.ndarray, "K 2 2"]:
        """The edges that the user gave as lines."""
        return self._edges_of(list(self.curves))

    def walls(self) -> Float[np.ndarray, "K 2 2"]:
        return undirected(np.concatenate([self.region_edges(), self.curve_edges()]))

    def _edges_of(self, names: list[str]) -> Float[np.ndarray, "K 2 2"]:
        edges = [region.segments for name in names if isinstance(region := self.table.get(name), Curve)]
        return np.concatenate([np.zeros((0, 2, 2)), *edges])

    def with_tag(self, name: str, where: object) -> PolygonScene:
        selections = {key: value for key, value in self.selections.items() if key != name}
        bare = replace(self, selections=selections, pins={key: pin for key, pin in self.pins.items() if key != name})
        selected = locate(name, where, bare.table, self.slack)
        return bare if selected is None else replace(bare, selections={**selections, name: selected})

    def with_pin(self, name: str, where: NearestNode) -> PolygonScene:
        selections = {key: value for key, value in self.selections.items() if key != name}
        return replace(self, selections=selections, pins={**self.pins, name: where})

    def with_interfaces(self, interfaces: Mapping[str, Curve]) -> PolygonScene:
        """The scene with the curves between regions that a mesh has found."""
        return replace(self, interfaces=dict(interfaces))


def _custom_points(name: str, region: PolygonRegion, sampler: Sampler, count: int) -> Float[np.ndarray, "n 2"]:
    if not callable(sampler):
        raise ValueError(
            f"The sampler of {name!r} must be a callable (geometry, n) -> points (n, 2) on a polygon domain, or one of "
            f"{', '.join(NAMES)}; got {sampler!r}."
        )
    if isinstance(region, Selection):
        raise ValueError(
            f"The tag {name!r} is a region given by a predicate; its points are drawn by rejection, leave out the "
            "sampler."
        )
    points = np.asarray(sampler(region.geometry, count), dtype=np.float64)
    if points.shape != (count, 2) or not np.all(np.isfinite(points)):
        raise ValueError(
            f"The sampler of {name!r} must return finite points of shape ({count}, 2); got shape {points.shape}."
        )
    return points
