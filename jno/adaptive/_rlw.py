"""Random loss weighting."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ._balancer import Balancer


class RLW(Balancer):
    """Random loss weighting: ``K`` times a draw of the symmetric Dirichlet distribution, a new one every epoch.

    Args:
        num_losses: number of losses, when it shall be checked.
        alpha: concentration, positive; large values give equal weights.
        seed: of the draws.

    Source: B. Lin, F. Ye, Y. Zhang, I. W. Tsang, "Reasonable effectiveness of random weighting: a litmus test for
    multi-task learning", TMLR 2022.
    """

    def __init__(self, num_losses: int | None = None, alpha: float = 1.0, seed: int = 42) -> None:
        super().__init__(num_losses)
        if alpha <= 0.0:
            raise ValueError(f"alpha={alpha}: the concentration must be positive")
        self.alpha, self.seed = alpha, seed

    def init(self, count: int) -> Any:
        """The random key."""
        return jax.random.PRNGKey(self.seed)

    def step(self, state: Any, losses: Any) -> tuple[Any, Any]:
        """See the class."""
        key, own = jax.random.split(state)
        return len(losses) * jax.random.dirichlet(own, jnp.full(len(losses), self.alpha, losses.dtype)), key
