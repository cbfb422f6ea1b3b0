"""Relative loss balancing with random lookback."""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jno.utils import POSITIVE, SEED, checked, number

from ._balancer import Balancer, Losses

_FLOOR = 1e-12


ReLoBRaLoState: TypeAlias = tuple[Losses, Losses, Losses, Int[Array, ""], Array]
"""Losses of the initial epoch, losses before, weights, number of epochs, random key."""


class ReLoBRaLo(Balancer):
    """Relative loss balancing with random lookback.

    With ``S(r)ᵢ = K softmax(Lᵢ / (τ rᵢ))``, the progress of ``K`` losses since they were ``r``, the weights follow

        λ ← α (ρ λ + (1 − ρ) S(first losses)) + (1 − α) S(losses before)

    where ρ is 1 with probability ``expected_rho``, else 0. The weights of the first epoch are one.

    Args:
        num_losses: see `Balancer`.
        alpha: how slowly the weights change.
        tau: temperature; large values give equal weights.
        expected_rho: probability of not looking back to the first epoch.
        seed: of the random lookback.

    Example:
        >>> import jno
        >>> rule = jno.fn.adaptive.ReLoBRaLo(alpha=0.5, expected_rho=0.0)
        >>> rule([1.0, 1.0])
        (1.0, 1.0)
        >>> _ = rule([0.5, 0.9])
        >>> tuple(round(weight, 3) for weight in rule([0.4, 0.9]))
        (0.126, 1.874)

    Source: R. Bischof, M. A. Kraus, "Multi-objective loss balancing for physics-informed deep learning", 2021.
    """

    @checked(alpha=number(0, 1), tau=POSITIVE, expected_rho=number(0, 1), seed=SEED)
    def __init__(
        self,
        num_losses: int | None = None,
        alpha: float = 0.99,
        tau: float = 0.1,
        expected_rho: float = 0.999,
        seed: int = 42,
    ) -> None:
        super().__init__(num_losses)
        self.alpha, self.tau, self.expected_rho, self.seed = alpha, tau, expected_rho, seed

    def init(self, count: int) -> ReLoBRaLoState:
        """See `Balancer.init`."""
        ones = jnp.ones(count)
        return (ones, ones, ones, jnp.int32(0), jax.random.PRNGKey(self.seed))

    def step(self, state: ReLoBRaLoState, losses: Losses) -> tuple[Float[Array, " K"], ReLoBRaLoState]:
        """See `Balancer.step`."""
        initial, before, weights, epoch, key = state
        key, draw_key = jax.random.split(key)
        rho = jax.random.bernoulli(draw_key, self.expected_rho).astype(losses.dtype)
        looked_back = rho * weights + (1.0 - rho) * self._progress(losses, initial)
        following = self.alpha * looked_back + (1.0 - self.alpha) * self._progress(losses, before)
        weights = jnp.where(epoch == 0, jnp.ones_like(losses), following)
        return weights, (jnp.where(epoch == 0, losses, initial), losses, weights, epoch + 1, key)

    def _progress(self, losses: Losses, reference: Losses) -> Float[Array, " K"]:
        return len(losses) * jax.nn.softmax(losses / jnp.maximum(self.tau * reference, _FLOOR))
