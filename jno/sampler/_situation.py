"""What a strategy sees when it chooses points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Situation:
    """The points of a tag, the candidates for their places, and how the network does at both.

    Attributes:
        points: the present points `(N, D)`.
        candidates: fresh points of the region `(M, D)`; all of its points where it has no more than `M`.
        scores: absolute residual at the present points for every time level `(T, N)`, at most one (`T = 1` on steady
            domains); the influence for strategies that want that. `None` for strategies that need no residuals.
        candidate_scores: the same at the candidates, `(T, M)`.
        times: the time levels `(T,)`.
        scale: the residual that a score of one stands for.
        epoch: the epoch that comes next.
        generator: the only source of randomness.

    Example:
        >>> import jno, numpy as np
        >>> situation = jno.sampler.Situation(
        ...     points=np.zeros((2, 1)),
        ...     candidates=np.ones((3, 1)),
        ...     scores=np.array([[1.0, 3.0]]),
        ...     candidate_scores=np.array([[5.0, 0.0, 2.0]]),
        ...     times=np.zeros(1),
        ...     scale=1.0,
        ...     epoch=100,
        ...     generator=np.random.default_rng(0),
        ... )
        >>> situation.point_scores.tolist(), int(situation.pool_scores.argmax())
        ([1.0, 3.0], 0)
    """

    points: Float[np.ndarray, "N D"]
    candidates: Float[np.ndarray, "M D"]
    scores: Float[np.ndarray, "T N"] | None
    candidate_scores: Float[np.ndarray, "T M"] | None
    times: Float[np.ndarray, " T"]
    scale: float
    epoch: int
    generator: np.random.Generator

    @property
    def point_scores(self) -> Float[np.ndarray, " N"]:
        """One score for every present point: the mean over the time levels."""
        assert self.scores is not None  # given to every strategy that needs residuals
        return self.scores.mean(axis=0)

    @property
    def pool_scores(self) -> Float[np.ndarray, " M"]:
        """One score for every candidate: the mean over the time levels."""
        assert self.candidate_scores is not None
        return self.candidate_scores.mean(axis=0)
