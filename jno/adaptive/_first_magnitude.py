"""Weights that make every loss begin at one."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._balancer import Balancer, Losses


class FirstMagnitude(Balancer):
    """Every loss over its own value in the first epoch, in which it has one.

    The weight of a loss is the reciprocal of its first value above `least_loss` and does not change any more; before,
    it is one. So equations in SI units, whose losses differ by twenty orders of magnitude, begin as equals, and no
    gradient overflows in single precision. Losses that shrink at different rates are the business of other rules: this
    one only takes out the units.

    Args:
        num_losses: see `Balancer`.

    Example:
        >>> from jno.fn import adaptive
        >>> rule = adaptive.first_magnitude()
        >>> rule([4.0, 0.5]), rule([1.0, 1.0])
        ((0.25, 2.0), (0.25, 2.0))
    """

    least_loss: ClassVar[float] = 1e-30
    """A loss up to this is zero: it has no magnitude yet."""

    def init(self, count: int) -> Float[Array, " K"]:
        """The weights, zero as long as there are none."""
        return jnp.zeros(count)

    def step(self, state: Float[Array, " K"], losses: Losses) -> tuple[Float[Array, " K"], Float[Array, " K"]]:
        """See `Balancer.step`."""
        has_value = (losses > self.least_loss) & jnp.isfinite(losses)
        first = jnp.where(has_value, 1 / jnp.where(has_value, losses, 1.0), 0.0)
        state = jnp.where(state > 0, state, first)
        return jnp.where(state > 0, state, 1.0), state
