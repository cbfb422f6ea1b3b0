"""Δu + k²u = f with u = g N and g = x(1−x)y(1−y)z(1−z)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp
from .poisson2d import field
from .poisson2d import forward as forward

WAVE_NUMBER = 6.0


def source(points: Float[Array, "N 3"]) -> Float[Array, "N 1"]:
    """f = (k² − 3π²) sin πx sin πy sin πz."""
    return (WAVE_NUMBER**2 - 3 * jnp.pi**2) * jnp.prod(jnp.sin(jnp.pi * points), axis=1, keepdims=True)


def nested(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """Three jvp of jvp."""
    points, u = data["points"], field(weights)
    residual = _mlp.laplacian(u, points) + WAVE_NUMBER**2 * u(points) - source(points)
    return jnp.mean(jnp.square(residual))


def onepass(taylor: _mlp.Taylor) -> Any:
    """Δ(gN) = NΔg + 2∇g·∇N + gΔN."""

    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        points = data["points"]
        value, slopes, laplacian = taylor(weights, points, (0, 1, 2))
        x, y, z = (points[:, axis : axis + 1] for axis in range(3))
        gx, gy, gz = x * (1 - x), y * (1 - y), z * (1 - z)
        g = gx * gy * gz
        gradient = ((1 - 2 * x) * gy * gz, gx * (1 - 2 * y) * gz, gx * gy * (1 - 2 * z))
        mixed = sum(part * slope for part, slope in zip(gradient, slopes, strict=True))
        curvature = -2 * (gy * gz + gx * gz + gx * gy)
        residual = g * laplacian + 2 * mixed + (curvature + WAVE_NUMBER**2 * g) * value - source(points)
        return jnp.mean(jnp.square(residual))

    return loss
