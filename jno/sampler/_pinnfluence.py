"""PINNfluence: points by their influence on the training."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Int, PyTree

from jno.utils import checked, integer

from ._choice import exchanged, log_density
from ._situation import Situation
from ._strategy import ResamplingStrategy, checked_nonnegative, checked_positive, documented


@documented
class PINNfluence(ResamplingStrategy):
    """Replace a random share of the points by points of density `p(x) ∝ I(x)^α / E[I^α] + c` of the influence `I`.

    The influence of a training point on the loss `L` is `∇L · H⁻¹ ∇r(x)²`, with gradients and Hessian `H` over all
    trained parameters. The Hessian is out of reach in training, so that `I(x) = |∇L · ∇r(x)²|` with the identity in its
    place (the "grad-dot" variant of the paper); it is computed exactly, by one derivative of the squared residuals
    along `∇L`.

    Args:
        alpha: exponent of the influence, positive.
        c: how many of the new points are uniform: about `c / (1 + c)`.
        candidate_factor: candidates for every point.

    Raises:
        ValueError: numbers out of range.

    Example:
        >>> import jno
        >>> x, y, t = jno.domain.rect().variable("interior", (50, None), jno.sampler.pinnfluence(candidate_factor=5))

    Source: J. R. Naujoks, A. Krasowski, M. Weckbecker, T. Wiegand, S. Lapuschkin, W. Samek, R. P. Klausen,
    "PINNfluence: influence functions for physics-informed neural networks", 2024, and "Leveraging influence functions
    for resampling data in physics-informed neural networks", 2025.
    """

    needs_residuals: ClassVar[bool] = True
    needs_influence: ClassVar[bool] = True
    candidate_minimum: int = 1

    @checked(candidate_factor=integer(1, 10**6))
    def __init__(
        self,
        resample_every: int = 500,
        resample_fraction: float | int = 0.2,
        start_epoch: int = 2000,
        alpha: float | int = 1.0,
        c: float | int = 1.0,
        candidate_factor: int = 3,
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch)
        self.alpha, self.c = checked_positive("alpha", alpha), checked_nonnegative("c", c)
        self.candidate_factor = candidate_factor

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """See `ResamplingStrategy.choose`."""
        count = len(situation.points)
        leaving = situation.generator.permutation(count)[: self.leaving(count)]
        return exchanged(situation, leaving, log_density(situation.pool_scores, self.alpha, self.c)), state
