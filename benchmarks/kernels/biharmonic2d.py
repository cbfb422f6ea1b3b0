"""Δ²u = f, a plate under a load, with u = N."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp
from ._fourth import Bilaplacian


def load(points: Float[Array, "N 2"]) -> Float[Array, "N 1"]:
    """f = sin πx sin πy."""
    return jnp.prod(jnp.sin(jnp.pi * points), axis=1, keepdims=True)


def forward(weights: Any, data: Mapping[str, Any]) -> Float[Array, "N 1"]:
    """u at the points."""
    return _mlp.mlp(weights, data["points"])


def nested(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """The Laplacian of the Laplacian, both by jvp of jvp."""
    points = data["points"]

    def laplacian(at: Array) -> Array:
        return _mlp.laplacian(lambda inner: _mlp.mlp(weights, inner), at)

    return jnp.mean(jnp.square(_mlp.laplacian(laplacian, points) - load(points)))


def onepass(bilaplacian: Bilaplacian) -> Any:
    """Δ² from one pass."""

    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        return jnp.mean(jnp.square(bilaplacian(weights, data["points"]) - load(data["points"])))

    return loss
