"""Random loss weighting."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.utils import POSITIVE, SEED, checked

from ._balancer import Balancer, Losses


class RLW(Balancer):
    """Random loss weighting: ``K`` times a draw of the symmetric Dirichlet distribution, a new one every epoch.

    Args:
        num_losses: see `Balancer`.
        alpha: concentration, positive; large values give equal weights.
        seed: of the draws.

    Example:
        >>> import jno
        >>> weights = jno.fn.adaptive.RLW(seed=0)([0.5, 2.0, 1.0])
        >>> round(sum(weights), 5)
        3.0

    Source: B. Lin, F. Ye, Y. Zhang, I. W. Tsang, "Reasonable effectiveness of random weighting: a litmus test for
    multi-task learning", TMLR 2022.
    """

    @checked(alpha=POSITIVE, seed=SEED)
    def __init__(self, num_losses: int | None = None, alpha: float = 1.0, seed: int = 42) -> None:
        super().__init__(num_losses)
        self.alpha, self.seed = alpha, seed

    def init(self, count: int) -> Array:
        """The random key."""
        return jax.random.PRNGKey(self.seed)

    def step(self, state: Array, losses: Losses) -> tuple[Float[Array, " K"], Array]:
        """See `Balancer.step`."""
        key, draw_key = jax.random.split(state)
        return len(losses) * jax.random.dirichlet(draw_key, jnp.full(len(losses), self.alpha, losses.dtype)), key
