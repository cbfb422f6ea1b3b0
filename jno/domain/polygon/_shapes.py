"""Regions of a polygon domain from which points are drawn: areas, curves, and parts given by predicates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from .. import _shapely as shapely
from ..drawable import (
    BoxMap,
    DeviceMap,
    DrawableRegion,
    DrawableSimplices,
    PointsAndNormals,
    SelectedPart,
    SimplexMap,
    TrapezoidMap,
)
from ..geometry import Trapezoids, choose, trapezoids
from ..mesh import segment_lengths
from ._geometry import ring_segments


class PolygonRegion(DrawableRegion):
    """A region of a polygon domain.

    Attributes:
        owner: the source region it belongs to, `None` when it belongs to the whole.
        is_boundary: whether its points have normals.
    """

    owner: str | None
    is_boundary: bool

    @property
    @abstractmethod
    def measure(self) -> float:
        """Area or length."""

    @property
    @abstractmethod
    def geometry(self) -> Any:
        """The shapely geometry."""


@dataclass(frozen=True, eq=False)
class Area(PolygonRegion):
    """A polygonal area."""

    polygon: Any
    owner: str | None = None
    is_boundary = False
    coordinates = 2

    @property
    def geometry(self) -> Any:
        return self.polygon

    @cached_property
    def _trapezoids(self) -> Trapezoids:
        return trapezoids(ring_segments(self.polygon))

    @property
    def measure(self) -> float:
        return float(self.polygon.area)

    @property
    def device_map(self) -> DeviceMap:
        box = shapely.box(*self.polygon.bounds)
        if abs(self.measure - box.area) <= 1e-9 * box.area:
            return BoxMap(*np.reshape(self.polygon.bounds, (2, 2)))
        return TrapezoidMap.of(self._trapezoids)

    @property
    def simplices(self) -> DrawableSimplices:
        triangles = self._trapezoids.triangles
        sides = triangles[:, 1:] - triangles[:, :1]
        areas = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]) / 2.0
        return DrawableSimplices(triangles, areas, None)

    def place(self, unit: Float[np.ndarray, "n 2"]) -> PointsAndNormals:
        return self._trapezoids.place(unit), None


@dataclass(frozen=True, eq=False)
class Curve(PolygonRegion):
    """Straight segments `(E, 2, 2)` with one unit normal each."""

    segments: Float[np.ndarray, "E 2 2"]
    normals: Float[np.ndarray, "E 2"]
    owner: str | None = None
    is_boundary = True
    coordinates = 1

    @property
    def measure(self) -> float:
        return float(segment_lengths(self.segments).sum())

    @property
    def geometry(self) -> Any:
        return shapely.multilinestrings(shapely.linestrings(self.segments))

    @property
    def device_map(self) -> DeviceMap:
        return SimplexMap.of(self.segments, segment_lengths(self.segments), self.normals)

    @property
    def simplices(self) -> DrawableSimplices:
        return DrawableSimplices(self.segments, segment_lengths(self.segments), self.normals)

    def place(self, unit: Float[np.ndarray, "n 1"]) -> PointsAndNormals:
        size = segment_lengths(self.segments)
        cumulative = np.cumsum(size)
        target = unit[:, 0] * cumulative[-1]
        piece = choose(cumulative, target)
        share = np.clip((target - (cumulative - size)[piece]) / size[piece], 0.0, 1.0)[:, None]
        start, stop = self.segments[piece, 0], self.segments[piece, 1]
        return start + share * (stop - start), self.normals[piece]

    def normals_at(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Normals of the segments that are nearest to the points."""
        tree = shapely.STRtree(shapely.linestrings(self.segments))
        return self.normals[tree.nearest(shapely.points(points))]


@dataclass(frozen=True, eq=False)
class Selection(SelectedPart, PolygonRegion):
    """The part of another region of a polygon domain in which a predicate holds."""

    parent: PolygonRegion
    owner: str | None = None

    @classmethod
    def of(cls, name: str, parent: PolygonRegion, where: Callable[..., Any]) -> Selection:
        """The part of a region in which `where` holds."""
        return cls(name, parent, where, parent.is_boundary, parent.owner)

    @property
    def geometry(self) -> Any:
        return self.parent.geometry

    @property
    def measure(self) -> float:
        return self.parent.measure * self.share()
