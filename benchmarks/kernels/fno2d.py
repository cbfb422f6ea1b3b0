"""Supervised learning of an operator: the module itself under `jax.vmap` over samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def forward(weights: Any, data: Mapping[str, Any]) -> Float[Array, "B H W 1"]:
    """The module's fields; ``weights`` is the module."""
    return jax.vmap(weights)(data["input"])


def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """Mean squared error."""
    return jnp.mean(jnp.square(forward(weights, data) - data["target"]))
