"""Giving up hopeless trials: the median rule."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, final

import numpy as np
from jaxtyping import Num

from jno.utils.callbacks import Callback

from ._trial import Outcome

_RUNGS = 10
_FIRST_RUNG = 2  # the first tenth of a training says little: rung 1 is only recorded
_FEWEST_RIVALS = 5


@dataclasses.dataclass(frozen=True)
class MedianRule:
    """Stop a trial whose lowest loss so far is above the median of what finished trials had reached by then.

    The rule of Golovin et al., "Google Vizier: A Service for Black-Box Optimization" (KDD 2017), section 3.2.1, except
    that lowest losses are compared, not running averages: those of losses that fall by orders of magnitude say how a
    training began.  Finished trials are those that were neither pruned nor failed.  At least five must have finished,
    and a trial is left alone for the first tenth of its epochs.

    Args:
        rivals: losses of finished trials by number of epochs.
    """

    rivals: tuple[dict[int, float], ...]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> MedianRule:
        """The rule against these trials."""
        return cls(tuple(o.rungs for o in outcomes if o.error is None and o.pruned_at is None))

    def gives_up(self, epochs: int, lowest: float) -> bool:
        """Whether a trial with this lowest loss after ``epochs`` epochs is hopeless."""
        reached = [min(losses) for losses in (_until(epochs, rival) for rival in self.rivals) if losses]
        return len(reached) >= _FEWEST_RIVALS and not lowest <= float(np.median(reached))

    def watch(self, epochs: int, weights: Sequence[float] | None = None) -> Pruning:
        """The callback that applies the rule to a training of ``epochs`` epochs; ``weights`` as for `rung_losses`."""
        return Pruning(self, epochs, weights)


@final
class Pruning(Callback):
    """Stops one training by the median rule.

    Args:
        rule: the rule.
        epochs: planned epochs of the training, which begins at epoch 0.
        weights: see `rung_losses`.
    """

    def __init__(self, rule: MedianRule, epochs: int, weights: Sequence[float] | None = None) -> None:
        self._rule = rule
        self._rungs = _rungs(epochs)
        self._weights = weights
        self._lowest = math.inf
        self._next = 0
        self.pruned_at: int | None = None
        """Epochs after which the training was given up."""

    def on_epoch_end(self, **kw: Any) -> bool:
        """Compare at the rungs; the last one is the end anyway."""
        done = kw["epoch"] + 1
        if self._next >= len(self._rungs) or done < self._rungs[self._next]:
            return False
        # epochs may come in steps (inner_steps): a rung is looked at as soon as it is passed
        while self._next < len(self._rungs) and self._rungs[self._next] <= done:
            self._next += 1
        self._lowest = min(self._lowest, float(_mean(np.asarray(kw["individual_losses"])[None], self._weights)[0]))
        if _FIRST_RUNG <= self._next < len(self._rungs) and self._rule.gives_up(done, self._lowest):
            self.pruned_at = done
            return True
        return False


def rung_losses(
    losses: Num[np.ndarray, "n C"], epochs: int, weights: Sequence[float] | None = None
) -> dict[int, float]:
    """Mean losses of a training at the tenths of its planned epochs, by number of epochs; finite ones only.

    Args:
        losses: those of the constraints ``C`` in the ``n`` epochs that were run.
        epochs: planned epochs.
        weights: of the constraints: losses are divided by them, so that trials with other weights compare; those of
            weight 0 are left out.

    Example:
        >>> import numpy as np
        >>> from jno.tuner._pruning import rung_losses
        >>> rung_losses(np.array([[4.0], [2.0], [1.0]]), 4)
        {1: 4.0, 2: 2.0, 3: 1.0}
    """
    mean = _mean(np.asarray(losses), weights)
    at_rungs = {rung: float(mean[rung - 1]) for rung in _rungs(epochs) if rung <= len(mean)}
    return {rung: loss for rung, loss in at_rungs.items() if math.isfinite(loss)}


def _rungs(epochs: int) -> list[int]:
    return sorted({max(1, epochs * part // _RUNGS) for part in range(1, _RUNGS + 1)})


def _mean(losses: Num[np.ndarray, "n C"], weights: Sequence[float] | None) -> Num[np.ndarray, " n"]:
    if weights is None:
        return np.mean(losses, axis=1)
    counted = np.asarray(weights, float) != 0
    return np.mean(losses[:, counted] / np.asarray(weights, float)[counted], axis=1)


def _until(epochs: int, rival: dict[int, float]) -> list[float]:
    """Losses of a trial in its first ``epochs`` epochs."""
    return [loss for rung, loss in rival.items() if rung <= epochs]
