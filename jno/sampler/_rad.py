"""RAD: residual-based adaptive distribution."""

from __future__ import annotations

from typing import ClassVar

import jax
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from ._choice import exchanged, log_density
from ._device_choice import device_exchanged, device_log_density, random_places
from ._situation import Situation
from ._strategy import Key, ResamplingStrategy, checked_nonnegative, checked_positive, documented


@documented
class RAD(ResamplingStrategy):
    """Replace a random share of the points by points of density `p(x) ∝ |r(x)|ᵏ / E|r|ᵏ + c`.

    The new points are drawn, without repetition, from ten times as many candidates (at least 1000) as there are points,
    by the residuals `r` there.

    Args:
        resample_fraction: largest share of the points that is replaced at once (the paper replaces all points).
        k: exponent of the residual, positive; the paper's default is 1.
        c: how many of the points are uniform: about `c / (1 + c)`; the paper's default is 1.

    Example:
        >>> import jno
        >>> adaptive = jno.sampler.rad(resample_every=200, resample_fraction=0.5, start_epoch=500, k=2)
        >>> x, y, t = jno.domain.rect().variable("interior", (50, None), adaptive)

    Source: C. Wu, M. Zhu, Q. Tan, Y. Kartha, L. Lu, "A comprehensive study of non-adaptive and residual-based adaptive
    sampling for physics-informed neural networks", 2023.
    """

    needs_residuals: ClassVar[bool] = True

    def __init__(
        self,
        resample_every: int = 100,
        resample_fraction: float | int = 0.1,
        start_epoch: int = 1000,
        k: float | int = 10.0,
        c: float | int = 0.0,
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch)
        self.k, self.c = checked_positive("k", k), checked_nonnegative("c", c)

    @property
    def has_device_choice(self) -> bool:
        """See `ResamplingStrategy.has_device_choice`; a class derived from this one may do something else."""
        return type(self) is RAD

    def device_choice(self, scores: Float[Array, " N"], pool_scores: Float[Array, " M"], key: Key) -> Int[Array, " N"]:
        """See `ResamplingStrategy.device_choice`."""
        place_key, draw_key = jax.random.split(key)
        leaving = random_places(len(scores), self.leaving(len(scores)), place_key)
        return device_exchanged(len(scores), leaving, device_log_density(pool_scores, self.k, self.c), draw_key)

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """See `ResamplingStrategy.choose`."""
        count = len(situation.points)
        leaving = situation.generator.permutation(count)[: self.leaving(count)]
        return exchanged(situation, leaving, log_density(situation.pool_scores, self.k, self.c)), state
