"""u_t + u u_x = ν u_xx with u = −sin πx + t(1−x²) N; columns of the points are x and t."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp

VISCOSITY = 0.01


def forward(weights: Any, data: Mapping[str, Any]) -> Float[Array, "N 1"]:
    """u at the points."""
    return _ansatz(weights, data["points"])


def _ansatz(weights: Any, points: Float[Array, "N 2"]) -> Float[Array, "N 1"]:
    x, t = points[:, :1], points[:, 1:]
    return -jnp.sin(jnp.pi * x) + t * (1 - x * x) * _mlp.mlp(weights, points)


def nested(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """u, two jvps and one jvp of jvp."""
    points = data["points"]

    def u(at: Array) -> Array:
        return _ansatz(weights, at)

    convection = u(points) * _mlp.first(u, points, 0)
    residual = _mlp.first(u, points, 1) + convection - VISCOSITY * _mlp.second(u, points, 0)
    return jnp.mean(jnp.square(residual))


def onepass(taylor: _mlp.Taylor) -> Any:
    """The product rule written out."""

    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        x, t = data["points"][:, :1], data["points"][:, 1:]
        value, (n_x, n_t), n_xx = taylor(weights, data["points"], (0,))
        g = 1 - x * x
        sine, cosine = jnp.sin(jnp.pi * x), jnp.cos(jnp.pi * x)
        u = -sine + t * g * value
        u_x = -jnp.pi * cosine + t * (g * n_x - 2 * x * value)
        u_xx = jnp.pi**2 * sine + t * (g * n_xx - 4 * x * n_x - 2 * value)
        u_t = g * (value + t * n_t)
        return jnp.mean(jnp.square(u_t + u * u_x - VISCOSITY * u_xx))

    return loss
