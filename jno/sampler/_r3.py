"""R3: retain, resample, release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from jno.utils import is_real

from ._retaining import RetainingStrategy
from ._situation import Situation
from ._strategy import Key, documented

_STATISTICS: dict[str, Callable[..., Any]] = {"mean": np.mean, "median": np.median}


@documented
class R3(RetainingStrategy):
    """Retain the points with residuals above a threshold and replace all others by uniform points.

    Points gather where the residual stays high and leave where it has become low, without a density to evaluate.

    Args:
        resample_every: epochs between two replacements (the paper replaces in every epoch).
        threshold: `"mean"` (the paper's) or `"median"` of the residuals of the points, or a number, as a share of the
            largest residual.
        min_retain: least share of the points that is retained, those with the largest residuals.
        max_retain: largest share that is retained.

    Raises:
        ValueError: another threshold, or shares out of range.

    Example:
        >>> import jno
        >>> x, y, t = jno.domain.rect().variable("interior", (50, None), jno.sampler.r3(threshold="median"))

    Source: A. Daw, J. Bu, S. Wang, P. Perdikaris, A. Karpatne, "Mitigating propagation failures in physics-informed
    neural networks using retain-resample-release (R3) sampling", 2023.
    """

    def __init__(
        self,
        resample_every: int = 100,
        resample_fraction: float | int = 0.7,
        start_epoch: int = 1000,
        threshold: str | float | int = "mean",
        min_retain: float | int = 0.3,
        max_retain: float | int = 0.9,
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch, min_retain, max_retain)
        if not is_real(threshold) and not (isinstance(threshold, str) and threshold in _STATISTICS):
            raise ValueError(f"threshold={threshold!r}: allowed are 'mean', 'median' and numbers that are finite")
        self.threshold = threshold

    @property
    def has_device_choice(self) -> bool:
        """See `ResamplingStrategy.has_device_choice`; a class derived from this one may do something else."""
        return type(self) is R3

    def device_choice(self, scores: Float[Array, " N"], pool_scores: Float[Array, " M"], key: Key) -> Int[Array, " N"]:
        """See `ResamplingStrategy.device_choice`."""
        if isinstance(self.threshold, str):
            level = jnp.mean(scores) if self.threshold == "mean" else jnp.median(scores)
        else:
            level = self.threshold * jnp.max(scores)
        count, (least, most) = len(scores), self.bounds(len(scores))
        retained = jnp.clip(jnp.sum(scores > level), least, most)
        rank = jnp.argsort(jnp.argsort(-scores))
        candidates = jax.random.permutation(key, len(pool_scores))[:count]
        return jnp.where(rank < retained, jnp.arange(count), count + candidates)

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """See `ResamplingStrategy.choose`."""
        scores = situation.point_scores
        level = (
            _STATISTICS[self.threshold](scores) if isinstance(self.threshold, str) else self.threshold * scores.max()
        )
        return self.released(situation, scores, float(level)), state
