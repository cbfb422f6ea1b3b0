"""Steady Navier–Stokes for (u, v, p): momentum with a force in both directions, and continuity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp

VISCOSITY = 0.05


def force(points: Float[Array, "N 2"]) -> tuple[Float[Array, "N 1"], Float[Array, "N 1"]]:
    """(sin πx cos πy, −cos πx sin πy)."""
    sine, cosine = jnp.sin(jnp.pi * points), jnp.cos(jnp.pi * points)
    return sine[:, :1] * cosine[:, 1:], -cosine[:, :1] * sine[:, 1:]


def forward(weights: Any, data: Mapping[str, Any]) -> Float[Array, "N 3"]:
    """(u, v, p) at the points."""
    return _mlp.mlp(weights, data["points"])


def nested(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """Ten derivatives, each by its own jvp or jvp of jvp of one output."""
    points = data["points"]

    def output(index: int) -> Any:
        return lambda at: _mlp.mlp(weights, at)[:, index : index + 1]

    u, v, p = output(0), output(1), output(2)

    def momentum(component: Any, pressure_axis: int, push: Array) -> Array:
        convection = u(points) * _mlp.first(component, points, 0) + v(points) * _mlp.first(component, points, 1)
        diffusion = _mlp.second(component, points, 0) + _mlp.second(component, points, 1)
        return convection + _mlp.first(p, points, pressure_axis) - VISCOSITY * diffusion - push

    fx, fy = force(points)
    continuity = _mlp.first(u, points, 0) + _mlp.first(v, points, 1)
    residuals = (momentum(u, 0, fx), momentum(v, 1, fy), continuity)
    return jnp.mean(jnp.stack([jnp.mean(jnp.square(residual)) for residual in residuals]))


def onepass(taylor: _mlp.Taylor) -> Any:
    """All ten derivatives from four coefficients of the whole network."""

    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        value, (d_x, d_y), laplacian = taylor(weights, data["points"], (0, 1))
        u, v = value[:, :1], value[:, 1:2]
        fx, fy = force(data["points"])
        first = u * d_x[:, :1] + v * d_y[:, :1] + d_x[:, 2:] - VISCOSITY * laplacian[:, :1] - fx
        other = u * d_x[:, 1:2] + v * d_y[:, 1:2] + d_y[:, 2:] - VISCOSITY * laplacian[:, 1:2] - fy
        residuals = (first, other, d_x[:, :1] + d_y[:, 1:2])
        return jnp.mean(jnp.stack([jnp.mean(jnp.square(residual)) for residual in residuals]))

    return loss
