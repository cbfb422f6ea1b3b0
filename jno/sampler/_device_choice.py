"""The choices of strategies inside compiled code; the same laws as `_choice` and `ResamplingStrategy.choose`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jno.utils import Key


def device_log_density(scores: Float[Array, " M"], power: float, offset: float = 0.0) -> Float[Array, " M"]:
    """Logarithm of `s^power / mean(s^power) + offset`, up to a constant; uniform where all scores vanish."""
    largest = jnp.max(scores)
    shares = scores / jnp.where(largest > 0.0, largest, 1.0)
    if offset == 0.0:
        logarithms = power * jnp.log(shares)  # a high power does not underflow this way
    else:
        powers = shares**power
        logarithms = jnp.log(powers / jnp.mean(powers) + offset)
    return jnp.where(largest > 0.0, logarithms, 0.0)


def device_exchanged(
    count: int, leaving: Int[Array, " K"], log_weights: Float[Array, " M"], key: Key
) -> Int[Array, " N"]:
    """The choice in which candidates, drawn by weight without repetition, take the places of the leaving points.

    Where candidates of positive weight are fewer, points stay as they are. Candidates come from a continuous
    distribution, so none is among the present points.
    """
    perturbed = log_weights + jax.random.gumbel(key, log_weights.shape, log_weights.dtype)
    largest, taken = jax.lax.top_k(perturbed, leaving.shape[0])
    return jnp.arange(count).at[leaving].set(jnp.where(jnp.isfinite(largest), count + taken, leaving))


def random_places(count: int, leaving: int, key: Key) -> Int[Array, " K"]:
    """Which of ``count`` points make room."""
    return jax.random.permutation(key, count)[:leaving]
