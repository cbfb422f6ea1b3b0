"""Balls and spheres of any dimension."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..drawable import DeviceMap, PointsAndNormals
from ..geometry import Distance
from ..mesh import Facets
from ._body import Body, BodyRegion
from ._box import BoxFaces, BoxInside
from ._device_maps import BallMap
from ._directions import DIRECTIONS, HOST, directions

_OUTLINE_EDGES = 720


@dataclass(frozen=True, eq=False)
class BallPoints(BodyRegion):
    """All points of a ball in two or more dimensions, or those of the sphere around it.

    Attributes:
        center: `(D,)`.
        radius: of the ball.
        is_boundary: whether it is the sphere.
    """

    center: Float[np.ndarray, " D"]
    radius: float
    is_boundary: bool

    @property
    def coordinates(self) -> int:  # type: ignore[override]
        dimension = len(self.center)
        return DIRECTIONS.get(dimension, dimension) + (not self.is_boundary)

    @property
    def measure(self) -> float:
        dimension = len(self.center)
        volume = math.pi ** (dimension / 2) / math.gamma(dimension / 2 + 1) * self.radius**dimension
        return volume * dimension / self.radius if self.is_boundary else volume

    @property
    def device_map(self) -> DeviceMap:
        return BallMap(self.center, self.radius, self.is_boundary)

    def place(self, unit: Float[np.ndarray, "n K"]) -> PointsAndNormals:
        dimension = len(self.center)
        if self.is_boundary:
            normals = np.asarray(directions(unit, dimension, HOST))
            return self.center + self.radius * normals, normals
        size = self.radius * unit[:, :1] ** (1.0 / dimension)
        return self.center + size * np.asarray(directions(unit[:, 1:], dimension, HOST)), None


@dataclass(frozen=True, eq=False)
class BallBody(Body):
    """An interval, a disk, a ball, …

    Attributes:
        center: `(D,)`.
        radius: distance of the boundary from the centre.
    """

    center: Float[np.ndarray, " D"]
    radius: float
    kind = "ball"

    @property
    def bounds(self) -> Float[np.ndarray, "2 D"]:
        return np.stack([self.center - self.radius, self.center + self.radius])

    def regions(self) -> Mapping[str, BodyRegion]:
        if self.dimension == 1:
            ends = BoxFaces(self.bounds, np.array([0, 0]), np.array([0, 1]))
            return {"interior": BoxInside(self.bounds), "boundary": ends}
        return {
            "interior": BallPoints(self.center, self.radius, False),
            "boundary": BallPoints(self.center, self.radius, True),
        }

    def facets(self, name: str) -> Facets:
        raise ValueError(
            f"The boundary {name!r} of a ball is round and has no facets; select a part of it by a predicate on the "
            "coordinates, and match points by evaluating an expression at other coordinates, such as u(-x, -y)."
        )

    def distance(self, names: Sequence[str], *, smooth: bool) -> Distance:
        center, radius = self.center, self.radius

        def distance(*coordinates: Float[jnp.ndarray, "N 1"]) -> Float[jnp.ndarray, "N 1"]:
            squared = sum((x - c) ** 2 for x, c in zip(coordinates, center.tolist(), strict=True))
            if smooth:
                return jnp.asarray((radius**2 - squared) / (2.0 * radius))
            positive = squared > 0.0
            away = jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)
            return jnp.abs(radius - away)

        return distance

    def outline(self) -> Float[np.ndarray, "E 2 2"]:
        angles = np.linspace(0.0, 2.0 * np.pi, _OUTLINE_EDGES, endpoint=False)
        corners = self.center + self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
