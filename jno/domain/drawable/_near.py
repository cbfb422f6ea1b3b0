"""Distances to the places that a graded sampler names."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.sampler import Place

from ..geometry import Geometry, NearestNode, squared_distances
from ..mesh import boundary_facets

_BLOCK = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class NearSet:
    """Points, segments or triangles `(K, V, D)` that points are drawn near to."""

    simplices: Float[np.ndarray, "K V D"]

    @property
    def dimension(self) -> int:
        """Of the place: 0 for points, 1 for curves, 2 for surfaces."""
        return int(self.simplices.shape[1]) - 1

    def distances(self, points: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " N"]:
        """Distances of points, in blocks of one size: one compiled program."""
        result = np.empty(len(points))
        corners = jnp.asarray(self.simplices)
        for start in range(0, len(points), _BLOCK):
            block = points[start : start + _BLOCK]
            padded = np.concatenate([block, np.zeros((_BLOCK - len(block), points.shape[1]))])
            result[start : start + _BLOCK] = np.asarray(_nearest(jnp.asarray(padded), corners))[: len(block)]
        return result


@jax.jit
def _nearest(points: Float[Array, "N D"], corners: Float[Array, "K V D"]) -> Float[Array, " N"]:
    def of_point(point: Float[Array, " D"]) -> Float[Array, ""]:
        return jnp.sqrt(jnp.min(squared_distances(point[None], corners)))

    return jax.lax.map(of_point, points, batch_size=256)


def near_set(geometry: Geometry, place: Place) -> NearSet:
    """What a place is on a geometry.

    Raises:
        ValueError: an unknown tag, or coordinates of another dimension.
    """
    if isinstance(place, str):
        return NearSet(_of_tag(geometry, place))
    dimension = geometry.dimension
    if place.ndim == 1:  # one point, or points of a line
        place = place.reshape(-1, 1) if dimension == 1 else place[None]
    if place.shape[-1] != dimension or (place.ndim == 3 and place.shape[1] > dimension):
        raise ValueError(
            f"graded(near=...): on a domain of {dimension} space dimension(s) places are a point ({dimension},), "
            f"points (K, {dimension}), or segments or triangles (K, V, {dimension}); got an array of shape "
            f"{place.shape}."
        )
    return NearSet(place[:, None] if place.ndim == 2 else place)


def _of_tag(geometry: Geometry, name: str) -> Float[np.ndarray, "K V D"]:
    if not geometry.has(name) and geometry.has(f"interior_{name}"):
        name = f"interior_{name}"  # the region that a polygon domain is made of
    where = geometry.predicates.get(name)
    if isinstance(where, NearestNode):
        return np.asarray(where.place, dtype=np.float64).reshape(1, 1, -1)
    if not geometry.has(name):
        raise ValueError(f"graded(near={name!r}): unknown tag. Tags of this domain: {sorted(geometry.names)}.")
    if geometry.lazy is not None and name in geometry.drawable:
        lazy = geometry.lazy
        return lazy.curve(name).corners if lazy.is_boundary(name) else lazy.outline(name)
    tag = geometry.tags[name]
    if tag.facets is not None:
        return geometry.facets_of(name).corners
    if geometry.mesh is not None and tag.cells is not None:
        facets, _ = boundary_facets(geometry.mesh.cells[tag.cells], len(geometry.points))
        return geometry.points[facets]
    return geometry.pool(name)[:, None]
