"""Δu + f = 0 with u = g N and g = x(1−x)y(1−y)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp


def bubble(points: Float[Array, "N 2"]) -> Float[Array, "N 1"]:
    """g = x(1−x)y(1−y), zero on the boundary."""
    return jnp.prod(points * (1 - points), axis=1, keepdims=True)


def source(points: Float[Array, "N 2"]) -> Float[Array, "N 1"]:
    """f = 2π² sin πx sin πy."""
    return 2 * jnp.pi**2 * jnp.prod(jnp.sin(jnp.pi * points), axis=1, keepdims=True)


def field(weights: Any) -> Callable[[Array], Array]:
    """u as a function of points."""
    return lambda points: bubble(points) * _mlp.mlp(weights, points)


def forward(weights: Any, data: Mapping[str, Any]) -> Float[Array, "N 1"]:
    """u at the points."""
    return field(weights)(data["points"])


def nested(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """Two jvp of jvp."""
    points, u = data["points"], field(weights)
    residual = _mlp.second(u, points, 0) + _mlp.second(u, points, 1) + source(points)
    return jnp.mean(jnp.square(residual))


def onepass(taylor: _mlp.Taylor) -> Any:
    """Δ(gN) = NΔg + 2∇g·∇N + gΔN."""

    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        x, y = data["points"][:, :1], data["points"][:, 1:]
        value, (n_x, n_y), laplacian = taylor(weights, data["points"], (0, 1))
        gx, gy = x * (1 - x), y * (1 - y)
        slopes = (1 - 2 * x) * gy * n_x + gx * (1 - 2 * y) * n_y
        residual = -2 * (gx + gy) * value + 2 * slopes + gx * gy * laplacian + source(data["points"])
        return jnp.mean(jnp.square(residual))

    return loss
