"""SoftAdapt: weights by the rates of change."""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jno.utils import NONNEGATIVE, POSITIVE, checked

from ._balancer import Balancer, Losses

SoftAdaptState: TypeAlias = tuple[Losses, Int[Array, ""]]
"""Losses of the last epoch, number of epochs."""


class SoftAdapt(Balancer):
    """Weights ``K softmax(rᵢ / β)`` with the relative rates of change ``rᵢ = (Lᵢ − L'ᵢ) / L'ᵢ`` since the last epoch.

    Losses that fall slowest, or rise, weigh most. The weights of the first epoch are one.

    Args:
        num_losses: see `Balancer`.
        beta: temperature, positive; large values give equal weights.
        loss_floor: least loss that is divided by.

    Example:
        >>> import jno
        >>> rule = jno.fn.adaptive.SoftAdapt(beta=0.5)
        >>> rule([1.0, 1.0])
        (1.0, 1.0)
        >>> tuple(round(weight, 3) for weight in rule([0.5, 0.9]))  # the second one falls more slowly
        (0.62, 1.38)

    Source: A. A. Heydari, C. A. Thompson, A. Mehmood, "SoftAdapt: techniques for adaptive loss weighting of neural
    networks with multi-part loss functions", 2019 (the normalised variant).
    """

    @checked(beta=POSITIVE, loss_floor=NONNEGATIVE)
    def __init__(self, num_losses: int | None = None, beta: float = 0.1, loss_floor: float = 1e-12) -> None:
        super().__init__(num_losses)
        self.beta, self.loss_floor = beta, loss_floor

    def init(self, count: int) -> SoftAdaptState:
        """See `Balancer.init`."""
        return (jnp.ones(count), jnp.int32(0))

    def step(self, state: SoftAdaptState, losses: Losses) -> tuple[Float[Array, " K"], SoftAdaptState]:
        """See `Balancer.step`."""
        before, epoch = state
        rates = (losses - before) / jnp.maximum(before, self.loss_floor)
        weights = len(losses) * jax.nn.softmax(rates / self.beta)
        return jnp.where(epoch == 0, jnp.ones_like(losses), weights), (losses, epoch + 1)
