"""RAR-D: residual-based adaptive refinement with distribution."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from ._choice import exchanged, log_density
from ._device_choice import device_exchanged, device_log_density
from ._situation import Situation
from ._strategy import Key, ResamplingStrategy, checked_positive, documented


@documented
class RARD(ResamplingStrategy):
    """Keep the points and add points of density `p(x) ∝ |r(x)|^power`.

    The paper lets the number of points grow. Here it stays (a tag of another size would be compiled again), and the
    points with the smallest residuals make room for the new ones.

    Args:
        resample_fraction: share of the points that is added, and that makes room.
        power: exponent of the residual, positive.

    Example:
        >>> import jno
        >>> x, y, t = jno.domain.rect().variable("interior", (50, None), jno.sampler.rard(resample_every=50))

    Source: the same as that of `RAD`.
    """

    needs_residuals: ClassVar[bool] = True

    def __init__(
        self,
        resample_every: int = 100,
        resample_fraction: float | int = 0.1,
        start_epoch: int = 1000,
        power: float | int = 2.0,
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch)
        self.power = checked_positive("power", power)

    @property
    def has_device_choice(self) -> bool:
        """See `ResamplingStrategy.has_device_choice`; a class derived from this one may do something else."""
        return type(self) is RARD

    def device_choice(self, scores: Float[Array, " N"], pool_scores: Float[Array, " M"], key: Key) -> Int[Array, " N"]:
        """See `ResamplingStrategy.device_choice`."""
        leaving = jnp.argsort(scores)[: self.leaving(len(scores))]
        return device_exchanged(len(scores), leaving, device_log_density(pool_scores, self.power), key)

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """See `ResamplingStrategy.choose`."""
        leaving = np.argsort(situation.point_scores, kind="stable")[: self.leaving(len(situation.points))]
        return exchanged(situation, leaving, log_density(situation.pool_scores, self.power)), state
