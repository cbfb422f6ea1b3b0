"""Drawing candidates by weight and giving them the places of present points."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ._situation import Situation


def log_density(scores: Float[np.ndarray, " M"], power: float, offset: float = 0.0) -> Float[np.ndarray, " M"]:
    """Logarithm of `s^power / mean(s^power) + offset`, up to a constant; uniform where all scores vanish."""
    largest = scores.max(initial=0.0)
    if largest == 0.0:
        return np.zeros_like(scores)
    powers = (scores / largest) ** power
    with np.errstate(divide="ignore"):
        if offset == 0.0:
            return power * np.log(scores / largest)  # a high power does not underflow this way
        return np.log(powers / powers.mean() + offset)


def drawn_without_repetition(
    log_weights: Float[np.ndarray, " M"], count: int, generator: np.random.Generator
) -> Int[np.ndarray, " K"]:
    """Up to `count` positions of positive weight, one after the other with probability proportional to the weights.

    The largest of the weights' logarithms plus Gumbel noise are such a sample (Yellott 1977, Efraimidis & Spirakis
    2006).
    """
    perturbed = log_weights + generator.gumbel(size=len(log_weights))
    order = np.argsort(-perturbed, kind="stable")[:count]
    return order[np.isfinite(perturbed[order])]


def exchanged(
    situation: Situation, leaving: Int[np.ndarray, " K"], log_weights: Float[np.ndarray, " M"]
) -> Int[np.ndarray, " N"]:
    """The choice in which candidates take the places of the leaving points.

    Candidates that are among the points that stay are left out. Where too few are left, points stay as they are.
    """
    count = len(situation.points)
    staying = np.delete(situation.points, leaving, axis=0)
    fresh = ~np.isin(_rows(situation.candidates), _rows(staying))
    weights = np.where(fresh, log_weights, -np.inf)
    taken = drawn_without_repetition(weights, len(leaving), situation.generator)
    choice = np.arange(count)
    choice[leaving[: len(taken)]] = count + taken
    return choice


def _rows(points: Float[np.ndarray, "N D"]) -> np.ndarray:
    """Every row as one item that can be compared; both zeros are the same."""
    rows = np.ascontiguousarray(points + 0.0)
    return rows.view([("", rows.dtype)] * rows.shape[1]).ravel()
