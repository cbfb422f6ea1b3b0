"""Strategies that retain the points with large residuals."""

from __future__ import annotations

import abc
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from ._choice import exchanged
from ._situation import Situation
from ._strategy import ResamplingStrategy, checked_share, documented


@documented
class RetainingStrategy(ResamplingStrategy, abc.ABC):
    """Retains the points whose scores are above a threshold, within bounds, and replaces all others by uniform points.

    Args:
        min_retain: least share of the points that is retained, those with the largest scores.
        max_retain: largest share that is retained.

    Raises:
        ValueError: shares out of range.
    """

    needs_residuals: ClassVar[bool] = True
    candidate_factor: int = 1
    candidate_minimum: int = 1

    def __init__(
        self,
        resample_every: int,
        resample_fraction: float | int,
        start_epoch: int,
        min_retain: float | int,
        max_retain: float | int,
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch)
        self.retained = (checked_share("min_retain", min_retain), checked_share("max_retain", max_retain))
        if self.retained[0] > self.retained[1]:
            raise ValueError(f"min_retain={min_retain} is greater than max_retain={max_retain}")

    def bounds(self, count: int) -> tuple[int, int]:
        """The least and the largest number of ``count`` points that are retained."""
        least = max(int(np.ceil(self.retained[0] * count)), count - int(np.floor(self.resample_fraction * count)))
        return least, max(int(np.floor(self.retained[1] * count)), least)

    def released(
        self, situation: Situation, scores: Float[np.ndarray, " N"], threshold: float
    ) -> Int[np.ndarray, " N"]:
        """The choice in which points up to the threshold make room for uniform ones."""
        least, most = self.bounds(len(scores))
        retained = int(np.clip(np.sum(scores > threshold), least, most))
        leaving = np.argsort(-scores, kind="stable")[retained:]
        return exchanged(situation, leaving, np.zeros(len(situation.candidates)))
