"""Hybrid adaptive sampling: random and residual-based replacements in turn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Int, PyTree

from jno.utils import FLAG, checked

from ._choice import exchanged, log_density
from ._random import uniform
from ._situation import Situation
from ._strategy import ResamplingStrategy, checked_positive, documented


@documented
class HybridAdaptive(ResamplingStrategy):
    """Replace a random share of the points, in turn by uniform points and by points of density `p(x) ∝ |r(x)|^power`.

    The uniform turns find regions that no point has seen, the adaptive ones follow the residual. Whose turn it is
    follows from the epoch.

    Args:
        random_first: whether the first turn is the uniform one.
        power: exponent of the residual, positive.

    Example:
        >>> import jno
        >>> x, y, t = jno.domain.rect().variable("interior", (50, None), jno.sampler.ha(random_first=False))

    Source: after S. Subramanian, R. M. Kirby, M. W. Mahoney, A. Gholami, "Adaptive self-supervision algorithms for
    physics-informed neural networks", 2022, where the share of uniform points follows a schedule.
    """

    needs_residuals: ClassVar[bool] = True

    @checked(random_first=FLAG)
    def __init__(
        self,
        resample_every: int = 100,
        resample_fraction: float | int = 0.5,
        start_epoch: int = 1000,
        random_first: bool = True,
        power: float | int = 2.0,
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch)
        self.random_first, self.power = random_first, checked_positive("power", power)

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """See `ResamplingStrategy.choose`."""
        count = len(situation.points)
        if (self.event(situation.epoch) % 2 == 0) == self.random_first:
            return uniform(situation, self.leaving(count)), state
        leaving = situation.generator.permutation(count)[: self.leaving(count)]
        return exchanged(situation, leaving, log_density(situation.pool_scores, self.power)), state
