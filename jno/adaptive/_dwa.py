"""Dynamic weight average."""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jno.utils import NONNEGATIVE, POSITIVE, checked

from ._balancer import Balancer, Losses

DWAState: TypeAlias = tuple[Losses, Losses, Int[Array, ""]]
"""Losses of the last epoch and of the one before, number of epochs."""


class DWA(Balancer):
    """Dynamic weight average: ``K softmax(rᵢ / T)`` with ``rᵢ = L'ᵢ / L''ᵢ``, the ratio of the last two epochs.

    The weights of the first two epochs are one.

    Args:
        num_losses: see `Balancer`.
        temperature: T, positive; large values give equal weights.
        loss_floor: least loss that is divided by.

    Example:
        >>> import jno
        >>> rule = jno.fn.adaptive.DWA(temperature=1.0)
        >>> for losses in ([1.0, 1.0], [0.5, 0.9], [0.4, 0.8]):
        ...     _ = rule(losses)
        >>> tuple(round(weight, 3) for weight in rule([0.3, 0.7]))  # the second one falls more slowly
        (0.956, 1.044)

    Source: S. Liu, E. Johns, A. J. Davison, "End-to-end multi-task learning with attention", CVPR 2019.
    """

    @checked(temperature=POSITIVE, loss_floor=NONNEGATIVE)
    def __init__(self, num_losses: int | None = None, temperature: float = 2.0, loss_floor: float = 1e-12) -> None:
        super().__init__(num_losses)
        self.temperature, self.loss_floor = temperature, loss_floor

    def init(self, count: int) -> DWAState:
        """See `Balancer.init`."""
        return (jnp.ones(count), jnp.ones(count), jnp.int32(0))

    def step(self, state: DWAState, losses: Losses) -> tuple[Float[Array, " K"], DWAState]:
        """See `Balancer.step`."""
        last, before, epoch = state
        weights = len(losses) * jax.nn.softmax(last / jnp.maximum(before, self.loss_floor) / self.temperature)
        return jnp.where(epoch < 2, jnp.ones_like(losses), weights), (losses, last, epoch + 1)
