"""The next points of a tag: by the strategy's `choose`, or by `resample` where a strategy overrides that."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from jaxtyping import Float, Int, PyTree

from ._situation import Situation
from ._strategy import Key, ResamplingStrategy

_CANDIDATE_RESIDUALS = "candidate_residuals"


def check_strategy(strategy: ResamplingStrategy) -> None:
    """Refuse a `resample` that cannot be called as training does.

    Raises:
        TypeError: another signature.
    """
    if not overrides_resample(strategy):
        return
    try:
        inspect.signature(strategy.resample).bind(*range(6), candidates=None, **_scored_candidates(strategy, None))
    except TypeError as error:
        raise TypeError(
            f"{type(strategy).__name__}.resample() is called as resample(points, residuals, domain, tag, epoch, "
            f"rng_key, candidates=...): {error}"
        ) from error


def overrides_resample(strategy: ResamplingStrategy) -> bool:
    """Whether a class overrides `resample`, and none that is derived from it overrides `choose`."""
    for kind in type(strategy).__mro__:
        if kind is ResamplingStrategy or "resample" in vars(kind):
            return kind is not ResamplingStrategy
        if "choose" in vars(kind):
            return False
    return False


def _scored_candidates(strategy: ResamplingStrategy, residuals: Float[np.ndarray, " M"] | None) -> dict[str, Any]:
    """The residuals at the candidates for a `resample` that takes them."""
    parameters = inspect.signature(strategy.resample).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return {_CANDIDATE_RESIDUALS: residuals} if takes_any or _CANDIDATE_RESIDUALS in parameters else {}


def next_points(
    strategy: ResamplingStrategy, situation: Situation, state: PyTree, domain: Any, tag: str, key: Key
) -> tuple[Float[np.ndarray, "N D"], Int[np.ndarray, " N"], PyTree]:
    """The next points; for each the present point or candidate that it is or lies nearest to; the next state.

    Raises:
        ValueError: `resample` returned another number of points, or some that are not finite.
    """
    every = np.concatenate([situation.points, situation.candidates])
    if not overrides_resample(strategy):
        choice, state = strategy.choose(situation, state)
        return every[choice], choice, state
    scored = situation.scores is not None
    resampled = strategy.resample(
        situation.points,
        situation.point_scores if scored else None,
        domain,
        tag,
        situation.epoch,
        key,
        candidates=situation.candidates,
        **_scored_candidates(strategy, situation.pool_scores if scored else None),
    )
    points = np.asarray(resampled, dtype=every.dtype)
    if points.shape != situation.points.shape or not np.all(np.isfinite(points)):
        raise ValueError(
            f"{type(strategy).__name__}.resample() must return as many points as {tag!r} has, finite ones of shape "
            f"{situation.points.shape}; got shape {points.shape}"
            f"{'' if np.all(np.isfinite(points)) else ' with values that are not finite'}"
        )
    from scipy.spatial import cKDTree

    return points, cKDTree(every).query(points)[1], state
