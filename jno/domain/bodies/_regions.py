"""The tags of a domain that is a box or a ball."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from ..drawable import NAMES, DrawableRegion, PointsAndNormals, Sampler, SelectedPart
from ..geometry import Distance, LazyRegions, NearestNode, NoSuchRegion, Where, checked_where, facet_mask
from ..mesh import Facets
from ._body import Body, BodyRegion


@dataclass(frozen=True, eq=False)
class BodyRegions(LazyRegions):
    """A body, and the parts of it that a user named.

    Attributes:
        body: the box or ball.
        definitions: tag of the user -> what it was defined by.
        parts: tag of the user -> its region.
    """

    body: Body
    definitions: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, DrawableRegion] = field(default_factory=dict)

    @cached_property
    def table(self) -> dict[str, DrawableRegion]:
        """Tag -> region."""
        return {**self.body.regions(), **self.parts}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.table)

    @property
    def dimension(self) -> int:
        return self.body.dimension

    @property
    def predicates(self) -> Mapping[str, Any]:
        return self.definitions

    @property
    def bounds(self) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
        lower, upper = self.body.bounds
        return lower, upper

    @property
    def can_mesh(self) -> bool:
        return False

    @property
    def meshless(self) -> str:
        return (
            f"A {self.body.kind} has no mesh, its points are drawn from the shape itself. Meshed are jno.domain.line, "
            "rect, cube and disk."
        )

    def on_nodes(self, name: str) -> Callable[..., Any] | None:
        return None

    def hint(self, name: object) -> str:
        return ""

    def is_boundary(self, name: str) -> bool:
        region = self.table[name]
        assert isinstance(region, BodyRegion | SelectedPart)  # there are no others
        return region.is_boundary

    # -- points ----
    def draw(self, name: str, count: int, sampler: Sampler | None, generator: np.random.Generator) -> PointsAndNormals:
        placement = self.placement(name, sampler)
        if placement is None or isinstance(placement, str):
            return self.table[name].draw(count, placement, generator)
        return self._placed_by_user(name, count, placement), None

    def placement(self, name: str, sampler: Sampler | None) -> Any:
        if sampler is None or isinstance(sampler, str):
            return sampler
        if not callable(sampler) or not isinstance(self.table[name], BodyRegion) or self.is_boundary(name):
            raise ValueError(
                f"The sampler of {name!r} must be one of {', '.join(NAMES)}, or in the interior of a {self.body.kind} "
                f"a callable (shape, n) -> points (n, {self.dimension}); got {sampler!r}."
            )
        return sampler

    def _placed_by_user(self, name: str, count: int, sampler: Callable[..., Any]) -> Float[np.ndarray, "n D"]:
        points = np.asarray(sampler(self.body, count), dtype=np.float64)
        if points.shape != (count, self.dimension) or not np.all(np.isfinite(points)):
            raise ValueError(
                f"The sampler of {name!r} must return finite points of shape ({count}, {self.dimension}); got shape "
                f"{points.shape}."
            )
        return points

    def drawable_region(self, name: str) -> DrawableRegion:
        return self.table[name]

    def strategy(self, name: str) -> Any:
        return None

    # -- shapes ----
    def measure(self, name: str) -> float:
        region = self.table[name]
        if not isinstance(region, BodyRegion):
            raise ValueError(
                f"The tag {name!r} is given by a predicate, so its measure is not known. Use the mean over its points, "
                "or integrate over a tag of the shape, with jno.np.where in the integrand."
            )
        return region.measure

    def distance(self, names: Sequence[str], *, smooth: bool) -> Distance:
        for name in names:
            if name in self.parts:
                raise ValueError(
                    f"distance_function: the tag {name!r} is given by a predicate, so the distance to it is not known; "
                    f"use tags of the {self.body.kind}: {[n for n in self.names if n not in self.parts]}."
                )
        return self.body.distance(names, smooth=smooth)

    def curve(self, name: str) -> Facets:
        if name in self.parts:
            raise ValueError(f"The tag {name!r} is given by a predicate and has no faces of its own.")
        return self.body.facets(name)

    def outline(self, name: str) -> Float[np.ndarray, "E 2 2"]:
        if self.dimension != 2 or name in self.parts:
            raise ValueError(
                f"The tag {name!r} of a {self.body.kind} in {self.dimension} dimensions has no outline; write a "
                "coefficient with jno.np.where."
            )
        return self.body.outline()

    def walls(self) -> Float[np.ndarray, "K 2 2"]:
        return self.outline("boundary")

    # -- tags of the user ----
    def with_tag(self, name: str, where: object) -> BodyRegions:
        parts = {key: part for key, part in self.parts.items() if key != name}
        definitions = {key: definition for key, definition in self.definitions.items() if key != name}
        bare = replace(self, parts=parts, definitions=definitions)
        part = bare._selected(name, checked_where(name, where, 1e-9 * self.body.diagonal))
        if part is None:
            return bare
        return replace(bare, parts={**parts, name: part}, definitions={**definitions, name: where})

    def _selected(self, name: str, where: Where) -> SelectedPart | None:
        """The part of the interior in which a predicate holds, else that of the boundary; `None` when there is none."""
        if where.is_shape and self.dimension != 2:
            raise NoSuchRegion(
                f"where= of tag {name!r} is a shapely geometry, which is plane; this domain has {self.dimension} space "
                "dimension(s). Give a predicate on the coordinates."
            )
        if where.on_facets is not None:
            return self._selected_faces(name, where)
        regions = self.body.regions()
        parts = [
            SelectedPart(name, regions[parent], where.at_points, regions[parent].is_boundary)
            for parent in ("interior", "boundary")
        ]
        return next((part for part in parts if part.share() > 0.0), None)

    def _selected_faces(self, name: str, where: Where) -> SelectedPart | None:
        """The faces for which a predicate on facets holds under any of their names."""
        boundary = self.body.regions()["boundary"]
        selected = []
        for tag, region in self.body.regions().items():
            if region.is_boundary:
                facets = self.body.facets(tag)
                mask = facet_mask(name, where, facets.corners.mean(axis=1), facets.normals, tag)
                selected.append(Facets(facets.corners[mask], facets.normals[mask]))
        corners = np.concatenate([facets.corners for facets in selected])
        if not len(corners):
            return None
        planes = np.concatenate([facets.normals for facets in selected])
        heights = np.einsum("fd,fd->f", planes, corners[:, 0])
        slack = 1e-9 * self.body.diagonal

        def on_faces(*coordinates: Float[np.ndarray, " N"]) -> np.ndarray:
            return np.any(np.abs(np.stack(coordinates, axis=1) @ planes.T - heights) <= slack, axis=1)

        return SelectedPart(name, boundary, on_faces, True)

    def with_pin(self, name: str, where: NearestNode) -> BodyRegions:
        raise ValueError(f"point_region({name!r}) names a node of a mesh. {self.meshless}")
