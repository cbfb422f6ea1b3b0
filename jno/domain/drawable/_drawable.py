"""Regions from which points can be drawn: images of the unit cube under maps that preserve measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from ..geometry import Geometry, choose
from ..mesh import Mesh, Tag, facet_frames, measures
from ._device_maps import DeviceMap, simplex_map
from ._samplers import Sampler, unit_points

PointsAndNormals: TypeAlias = tuple[Float[np.ndarray, "m _"], Float[np.ndarray, "m _"] | None]
"""Points, with a last column where they have times of their own, and their normals in space."""


class DrawableRegion(ABC):
    """A region that can be sampled.

    Attributes:
        coordinates: how many uniform numbers place a point.
    """

    coordinates: int

    @abstractmethod
    def place(self, unit: Float[np.ndarray, "n K"]) -> PointsAndNormals:
        """The points (and normals) that belong to points of the unit cube; the map preserves measure."""

    @property
    def device_map(self) -> DeviceMap | None:
        """The same map for compiled code; `None` where it has no such form."""
        return None

    @property
    def simplices(self) -> DrawableSimplices | None:
        """The region as simplices, in which points are uniform; `None` where it has no such form."""
        return None

    def draw(self, count: int, sampler: str | None, generator: np.random.Generator) -> PointsAndNormals:
        """Points by a named sampler; independent and uniform without one."""
        return self.place(unit_points(sampler, count, self.coordinates, generator))


@dataclass(frozen=True, eq=False)
class DrawableSimplices(DrawableRegion):
    """Simplices `(M, V, D)` of positive measure, with a normal each on a boundary."""

    corners: Float[np.ndarray, "M V D"]
    sizes: Float[np.ndarray, " M"]
    normals: Float[np.ndarray, "M D"] | None

    @property
    def coordinates(self) -> int:  # type: ignore[override]
        return max(self.corners.shape[1] - 1, 1)

    @property
    def device_map(self) -> DeviceMap:
        return simplex_map(self.corners, self.sizes, self.normals)

    @property
    def simplices(self) -> DrawableSimplices:
        return self

    def place(self, unit: Float[np.ndarray, "n K"]) -> PointsAndNormals:
        cumulative = np.cumsum(self.sizes)
        target = unit[:, 0] * cumulative[-1]
        piece = choose(cumulative, target)
        inside = unit.copy()
        inside[:, 0] = np.clip((target - (cumulative - self.sizes)[piece]) / self.sizes[piece], 0.0, 1.0)
        corners = self.corners[piece]
        # the spacings of sorted uniform numbers are uniform barycentric coordinates (Devroye 1986, V.2)
        cuts = np.sort(inside[:, : corners.shape[1] - 1], axis=1)
        weights = np.diff(cuts, axis=1, prepend=0.0, append=1.0)[:, ::-1]
        points = np.einsum("nv,nvd->nd", weights, corners)
        return points, None if self.normals is None else self.normals[piece]


@dataclass(frozen=True, eq=False)
class CloudPoints(DrawableRegion):
    """Points without a mesh: a subset without repetition, spread along a curve that fills space."""

    points: Float[np.ndarray, "N D"]
    normals: Float[np.ndarray, "N D"] | None = None
    coordinates = 1

    def place(self, unit: Float[np.ndarray, "n 1"]) -> PointsAndNormals:
        count, step = len(self.points), np.arange(len(unit))
        rank = np.sort((unit[:, 0] * count).astype(np.int64))
        # the next free rank where two fall on one, and none beyond the last
        rank = np.minimum(np.maximum.accumulate(rank - step) + step, count - len(unit) + step)
        positions = _curve_order(self.points)[rank]
        return self.points[positions], None if self.normals is None else self.normals[positions]

    def draw(self, count: int, sampler: str | None, generator: np.random.Generator) -> PointsAndNormals:
        if count > len(self.points):
            raise ValueError(f"{count} points were asked for, but the point set has only {len(self.points)}.")
        if sampler == "equispaced":
            raise ValueError("The sampler 'equispaced' needs a curve; a set of points has none.")
        return super().draw(count, sampler, generator)


def _curve_order(points: Float[np.ndarray, "N D"]) -> Int[np.ndarray, " N"]:
    """The points along the curve of Morton (1966): sorted by the interleaved bits of their coordinates."""
    dimension = points.shape[1]
    bits = min(16, 62 // dimension)
    span = np.maximum(np.ptp(points, axis=0), 1e-300)
    cells = ((points - points.min(axis=0)) / span * (2**bits - 1)).astype(np.int64)
    code = np.zeros(len(points), dtype=np.int64)
    for bit in range(bits):
        for axis in range(dimension):
            code |= ((cells[:, axis] >> bit) & 1) << (bit * dimension + axis)
    return np.argsort(code, kind="stable")


def mesh_region(mesh: Mesh, tag: Tag) -> DrawableRegion:
    """The cells or facets of a tag."""
    if tag.is_boundary and tag.facets is not None:
        facets = mesh.facets[tag.facets]
        sizes, normals = facet_frames(mesh.points, facets, mesh.opposite[tag.facets])
        return DrawableSimplices(mesh.points[facets], sizes, normals)
    if tag.cells is not None:
        cells = mesh.cells[tag.cells]
        return DrawableSimplices(mesh.points[cells], measures(mesh.points, cells), None)
    raise ValueError(
        f"The tag {tag.name!r} has neither cells nor facets of its own, only {len(tag.nodes)} node(s): named samplers "
        "draw from cells or facets. Sample its nodes, sample=(n, None)."
    )


def drawable_of(geometry: Geometry, name: str) -> DrawableRegion:
    """The region of a tag: a part of the shape, or cells or facets of the mesh; without either its points."""
    if geometry.lazy is not None and name in geometry.drawable:
        region: DrawableRegion = geometry.lazy.drawable_region(name)
        return region
    if geometry.mesh is not None:
        return mesh_region(geometry.mesh, geometry.tags[name])
    return CloudPoints(geometry.pool(name), geometry.tags[name].normals)


def has_extent(tag: Tag) -> bool:
    """Whether a tag has cells or facets that points can be drawn from."""
    return tag.cells is not None or (tag.is_boundary and tag.facets is not None)


def draw(
    geometry: Geometry, name: str, count: int, sampler: Sampler | None, generator: np.random.Generator
) -> PointsAndNormals:
    """Points of a region, in general not nodes, and their normals on a boundary."""
    if geometry.lazy is not None and name in geometry.drawable:
        return geometry.lazy.draw(name, count, sampler, generator)
    assert sampler is None or isinstance(sampler, str)  # callables place points in shapes only
    return drawable_of(geometry, name).draw(count, sampler, generator)
