"""Stop training that no longer gets better."""

from __future__ import annotations

import math
from typing import Any

from jno.utils.callbacks import Callback

from ._analysis import at_least

_MODES = ("min", "max", "rel")


class EarlyStopping(Callback):
    r"""Stop after ``patience`` epochs without an improvement of a metric.

    An improvement on the best value :math:`b` is a value below :math:`b - \delta` (``"min"``), above
    :math:`b + \delta` (``"max"``) or below :math:`b - \delta|b|` (``"rel"``), with :math:`\delta` = ``min_delta``; the
    first value is one when there is no baseline. NaN never is. Every `solve` begins anew. The models keep the last
    weights, not the best.

    Args:
        patience: epochs, at least 1. With ``solve(inner_steps=k)`` the metric is seen every ``k`` epochs.
        min_delta: least improvement, of at least 0.
        mode: ``"min"``, ``"max"`` or ``"rel"``.
        metric_fn: called with the keywords of `Callback.on_epoch_end`, gives the metric; default: the total loss.
        baseline: value to improve on first.
        verbose: log why training stopped.

    Attributes:
        best_metric: best value so far; the baseline, or None, before the first.
        stopped_epoch: epoch at which training was stopped; None if it was not.
        has_stopped: whether it was.

    Raises:
        ValueError: unknown ``mode``, ``patience`` or ``min_delta`` out of range.
        TypeError: ``metric_fn`` is not callable.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> stop = jno.callbacks.early_stopping(patience=5, verbose=False)
        >>> _ = jno.core([(p + 0 * x).mse]).solve(100, callbacks=[stop])
        INFO: epoch ...
        >>> stop.best_metric, stop.stopped_epoch
        (9.0, 5)
    """

    def __init__(
        self,
        patience: int = 500,
        min_delta: float | int = 0.0,
        mode: str = "min",
        metric_fn: Any = None,
        baseline: float | int | None = None,
        verbose: bool = True,
    ) -> None:
        if mode not in _MODES:
            raise ValueError(f"EarlyStopping(mode={mode!r}): mode must be one of {', '.join(map(repr, _MODES))}")
        if not min_delta >= 0.0:
            raise ValueError(f"EarlyStopping(min_delta={min_delta!r}): min_delta must be at least 0")
        if metric_fn is not None and not callable(metric_fn):
            raise TypeError(f"EarlyStopping(metric_fn={metric_fn!r}): metric_fn must be callable")
        self.patience = at_least(1, patience, "EarlyStopping", "patience")
        self.min_delta, self.mode, self.metric_fn = float(min_delta), mode, metric_fn
        self.baseline = None if baseline is None else float(baseline)
        self.verbose = verbose
        self._improved_at = -1
        self._forget()

    def _forget(self) -> None:
        self.best_metric = self.baseline
        self.stopped_epoch: int | None = None

    @property
    def has_stopped(self) -> bool:
        """Whether training was stopped by this callback."""
        return self.stopped_epoch is not None

    def on_solve_begin(self, **kw: Any) -> None:
        """Begin anew."""
        self._forget()
        self._improved_at = kw["epoch"] - 1

    def on_epoch_end(self, **kw: Any) -> bool:
        """Whether patience is at its end."""
        epoch = kw["epoch"]
        metric = float(kw["total_loss"] if self.metric_fn is None else self.metric_fn(**kw))
        if self._is_improvement(metric):
            self.best_metric, self._improved_at = metric, epoch
        if epoch - self._improved_at < self.patience:
            return False
        self.stopped_epoch = epoch
        if self.verbose:
            kw["log"].info(
                f"early stopping at epoch {epoch}: no improvement on {self.best_metric} in "
                f"{epoch - self._improved_at} epochs"
            )
        return True

    def _is_improvement(self, metric: float) -> bool:
        best = self.best_metric
        if math.isnan(metric) or best is None:
            return not math.isnan(metric)
        if self.mode == "max":
            return metric > best + self.min_delta
        return metric < best - self.min_delta * (abs(best) if self.mode == "rel" else 1.0)
