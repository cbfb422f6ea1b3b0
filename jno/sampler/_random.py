"""Points replaced at random."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Int, PyTree

from ._choice import exchanged
from ._situation import Situation
from ._strategy import ResamplingStrategy, documented


@documented
class RandomResampling(ResamplingStrategy):
    """Replace a random share of the points by new uniform ones.

    Example:
        >>> import jno
        >>> x, y, t = jno.domain.rect().variable("interior", (50, None), jno.sampler.random(resample_every=10))

    Source: C. Wu, M. Zhu, Q. Tan, Y. Kartha, L. Lu, "A comprehensive study of non-adaptive and residual-based adaptive
    sampling for physics-informed neural networks", 2023 (Random-R).
    """

    needs_residuals: ClassVar[bool] = False
    candidate_factor: int = 1
    candidate_minimum: int = 1

    def __init__(
        self, resample_every: int = 100, resample_fraction: float | int = 0.1, start_epoch: int = 1000
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch)

    def redraws_all(self, count: int) -> bool:
        """See `ResamplingStrategy.redraws_all`; a class derived from this one may do something else."""
        return type(self) is RandomResampling and self.leaving(count) == count

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """See `ResamplingStrategy.choose`."""
        return uniform(situation, self.leaving(len(situation.points))), state


def uniform(situation: Situation, count: int) -> Int[np.ndarray, " N"]:
    """``count`` random points make room for random candidates."""
    leaving = situation.generator.permutation(len(situation.points))[:count]
    return exchanged(situation, leaving, np.zeros(len(situation.candidates)))
