"""Which of several regions a point lies in, as a function of the coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..geometry import exact_distance

Facets = Float[np.ndarray, "E V D"]
# A direction along which no facet of a usual mesh lies.
_RAY = np.array([0.5377, 0.3421, 0.7706])


def chosen_value(regions: Sequence[Any], values: Sequence[float], default: float, slack: float) -> Callable[..., Any]:
    """The value of the first region, given by its facets `(E, V, D)`, that contains the point, boundary included."""

    def value(*coordinates: Float[Array, "N 1"]) -> Float[Array, "N 1"]:
        points = jnp.concatenate(coordinates, axis=-1)
        result = jnp.full((len(points), 1), default, points.dtype)
        for facets, number in reversed(list(zip(regions, values, strict=True))):
            reach = max(slack, 4.0 * float(jnp.finfo(points.dtype).eps) * float(np.abs(facets).max()))
            touching = exact_distance(facets)(*coordinates) <= reach
            result = jnp.where(_inside(points, facets) | touching, jnp.asarray(number, points.dtype), result)
        return result

    return value


def _inside(points: Float[Array, "N D"], facets: Facets) -> Bool[Array, "N 1"]:
    """The even-odd rule `(N, 1)`."""
    crossings = {1: _crossed_points, 2: _crossed_segments, 3: _crossed_triangles}[facets.shape[1]]
    return jnp.sum(crossings(points[:, None], jnp.asarray(facets, points.dtype)), axis=1, keepdims=True) % 2 == 1


def _crossed_points(points: Float[Array, "N 1 D"], corners: Float[Array, "E V D"]) -> Bool[Array, "N E"]:
    return points[..., 0] < corners[:, 0, 0]


def _crossed_segments(points: Float[Array, "N 1 D"], corners: Float[Array, "E V D"]) -> Bool[Array, "N E"]:
    (x0, y0), (x1, y1) = corners[:, 0].T, corners[:, 1].T
    x, y = points[..., 0], points[..., 1]
    between = (y0 > y) != (y1 > y)
    return between & (x < x0 + (y - y0) / jnp.where(y0 == y1, 1.0, y1 - y0) * (x1 - x0))


def _crossed_triangles(points: Float[Array, "N 1 D"], corners: Float[Array, "E V D"]) -> Bool[Array, "N E"]:
    """Möller and Trumbore, "Fast, minimum storage ray/triangle intersection" (1997)."""
    ray = jnp.asarray(_RAY, points.dtype)
    edge, side = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = jnp.cross(ray, side)
    determinant = jnp.sum(edge * across, axis=-1)
    scale = 1.0 / jnp.where(determinant == 0.0, 1.0, determinant)
    offset = points - corners[:, 0]
    u = scale * jnp.sum(offset * across, axis=-1)
    turned = jnp.cross(offset, edge)
    v = scale * jnp.sum(turned * ray, axis=-1)
    along = scale * jnp.sum(turned * side, axis=-1)
    return (determinant != 0.0) & (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (along > 0.0)
