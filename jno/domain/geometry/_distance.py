"""Distances to points, segments and triangles as functions of the coordinates that JAX differentiates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Columns: TypeAlias = Float[Array, "N 1"]
Distance: TypeAlias = Callable[..., Columns]
SquaredDistance: TypeAlias = Callable[[Array, Array], Array]
# Points times facets compared at once when the nearest facet is looked for.
_AT_ONCE = 1_000_000


def _to_points(points: Float[Array, "*#M D"], corners: Float[Array, "*#M V D"]) -> Float[Array, "*M"]:
    return jnp.sum((points - corners[..., 0, :]) ** 2, axis=-1)


def _to_segments(points: Float[Array, "*#M D"], corners: Float[Array, "*#M V D"]) -> Float[Array, "*M"]:
    start, along = corners[..., 0, :], corners[..., 1, :] - corners[..., 0, :]
    share = jnp.sum((points - start) * along, axis=-1) / jnp.sum(along**2, axis=-1)
    foot = start + jnp.clip(share, 0.0, 1.0)[..., None] * along
    return jnp.sum((points - foot) ** 2, axis=-1)


def _to_triangles(points: Float[Array, "*#M D"], corners: Float[Array, "*#M V D"]) -> Float[Array, "*M"]:
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    normal = jnp.cross(b - a, c - a)
    area = jnp.sum(normal**2, axis=-1)

    def side(start: Float[Array, "*#M D"], stop: Float[Array, "*#M D"]) -> Float[Array, "*M"]:
        return jnp.sum(jnp.cross(stop - start, points - start) * normal, axis=-1)

    above = (side(a, b) >= 0.0) & (side(b, c) >= 0.0) & (side(c, a) >= 0.0)
    height = jnp.sum((points - a) * normal, axis=-1) ** 2 / area
    edges = [
        _to_segments(points, corners[..., pair, :]) for pair in (np.array([0, 1]), np.array([1, 2]), np.array([2, 0]))
    ]
    return jnp.where(above, height, jnp.minimum(jnp.minimum(edges[0], edges[1]), edges[2]))


_SQUARED = {1: _to_points, 2: _to_segments, 3: _to_triangles}


def squared_distances(points: Float[Array, "*#M D"], corners: Float[Array, "*#M V D"]) -> Float[Array, "*M"]:
    """The squares of the distances to facets (points, segments or triangles)."""
    return _SQUARED[corners.shape[-2]](points, corners)


def _root(squared: Float[Array, "*M"]) -> Float[Array, "*M"]:
    """The square root, with slope zero at zero."""
    positive = squared > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def exact_distance(facets: Float[np.ndarray, "E V D"]) -> Distance:
    """The distance to the nearest of the facets (points, segments or triangles)."""
    squared = _SQUARED[facets.shape[1]]

    def distance(*coordinates: Float[Array, "N 1"]) -> Columns:
        points = jnp.concatenate(coordinates, axis=-1)
        corners = jnp.asarray(facets, points.dtype)
        nearest = _nearest(jax.lax.stop_gradient(points), corners, squared)
        return _root(squared(points, corners[nearest]))[:, None]

    return distance


def nearest_facets(
    points: Float[np.ndarray, "N D"], facets: Float[np.ndarray, "E V D"]
) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """The number of the nearest facet of every point, and the distance to it."""
    squared = _SQUARED[facets.shape[1]]
    places, corners = jnp.asarray(points), jnp.asarray(facets)
    nearest = _nearest(places, corners, squared)
    return np.asarray(nearest), np.sqrt(np.asarray(squared(places, corners[nearest])))


def _nearest(points: Float[Array, "N D"], corners: Float[Array, "E V D"], squared: SquaredDistance) -> Int[Array, " N"]:
    """The nearest facet of every point, in blocks of bounded memory."""
    size = max(1, _AT_ONCE // len(corners))

    def of_point(point: Float[Array, " D"]) -> Int[Array, ""]:
        return jnp.argmin(squared(point[None], corners))

    if len(points) <= size:
        return jax.vmap(of_point)(points)
    return jax.lax.map(of_point, points, batch_size=size)
