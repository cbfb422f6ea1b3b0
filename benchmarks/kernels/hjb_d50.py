"""Δu − |∇u|² + |x|²/D² = 1 in D dimensions: the ergodic Hamilton–Jacobi–Bellman equation, u = |x|²/(2D) + const."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp
from ._many import ManyTaylor


def cost(points: Float[Array, "N D"]) -> Float[Array, "N 1"]:
    """|x|²/D² − 1."""
    return jnp.mean(jnp.square(points), axis=1, keepdims=True) / points.shape[1] - 1


def forward(weights: Any, data: Mapping[str, Any]) -> Float[Array, "N 1"]:
    """u at the points."""
    return _mlp.mlp(weights, data["points"])


def _along(weights: Any, points: Float[Array, "N D"], direction: Float[Array, " D"]) -> tuple[Array, Array]:
    """First and second derivative along a direction: one jvp of jvp."""
    tangent = jnp.broadcast_to(direction, points.shape)

    def slope(at: Array) -> Array:
        return jax.jvp(lambda inner: _mlp.mlp(weights, inner), (at,), (tangent,))[1]

    return jax.jvp(slope, (points,), (tangent,))


def vmapped(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """All directions at once by `jax.vmap`."""
    points = data["points"]
    basis = jnp.eye(points.shape[1], dtype=points.dtype)
    slopes, bends = jax.vmap(lambda direction: _along(weights, points, direction))(basis)
    residual = jnp.sum(bends - slopes * slopes, axis=0) + cost(points)
    return jnp.mean(jnp.square(residual))


def looped(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """One direction after the other, written out."""
    points = data["points"]
    residual = cost(points)
    for direction in jnp.eye(points.shape[1], dtype=points.dtype):
        slope, bend = _along(weights, points, direction)
        residual = residual + bend - slope * slope
    return jnp.mean(jnp.square(residual))


def scanned(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """One direction after the other by `jax.lax.scan`."""
    points = data["points"]

    def add(residual: Array, direction: Array) -> tuple[Array, None]:
        slope, bend = _along(weights, points, direction)
        return residual + bend - slope * slope, None

    residual, _ = jax.lax.scan(add, cost(points), jnp.eye(points.shape[1], dtype=points.dtype))
    return jnp.mean(jnp.square(residual))


def onepass(taylor: ManyTaylor) -> Any:
    """Gradient and Laplacian from one pass."""

    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        points = data["points"]
        _, gradient, laplacian = taylor(weights, points)
        residual = laplacian - jnp.sum(gradient * gradient, axis=1) + cost(points)
        return jnp.mean(jnp.square(residual))

    return loss
