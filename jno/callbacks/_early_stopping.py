"""Stop training that no longer gets better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jno.utils import FLAG, NAME, NUMBER, TOTAL, Callback, Monitor, checked, integer, require_int


class EarlyStopping(Callback):
    r"""Stop after ``patience`` epochs without an improvement of a metric.

    An improvement on the best value :math:`b` is a value below :math:`b - \delta` (``"min"``), above
    :math:`b + \delta` (``"max"``) or below :math:`b - \delta|b|` (``"rel"``), with :math:`\delta` = ``min_delta``; the
    first value is one when there is no baseline. NaN never is. Every `solve` begins anew. The models keep the last
    weights, or with ``restore_best`` the best.

    Args:
        patience: epochs, at least 1. With ``solve(inner_steps=k)`` the metric is seen every ``k`` epochs.
        min_delta: least improvement, of at least 0.
        mode: ``"min"``, ``"max"`` or ``"rel"``.
        metric_fn: called with the keywords of `Callback.on_epoch_end`, gives the metric; default: the total loss.
        baseline: value to improve on first.
        verbose: log why training stopped.
        restore_best: when training ends, interrupted or not, put back the weights (and optimizer states) that the best
            value belongs to; the last are kept where nothing improved on the baseline. Not with ``metric_fn``, which
            does not tell what weights it looks at, nor with Bayesian models.
        monitor: label of a constraint or tracker whose loss or value is the metric; default: the total loss. Trackers
            are seen when they are evaluated, so their interval should be below ``patience``.

    Attributes:
        best_metric: best value so far; the baseline, or None, before the first.
        best_epoch: epoch at whose beginning the weights had that value; None before the first.
        stopped_epoch: epoch at which training was stopped; None if it was not.
        has_stopped: whether it was.

    Raises:
        ValueError: unknown ``mode``, ``patience`` or ``min_delta`` out of range, ``metric_fn`` beside ``monitor`` or
            ``restore_best``. When training begins: nothing has the label ``monitor``.
        TypeError: ``metric_fn`` is not callable.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> stop = jno.callbacks.early_stopping(patience=5, verbose=False)
        >>> _ = jno.core([(p + 0 * x).mse]).solve(100, callbacks=[stop])
        INFO: compiling
        INFO: epoch ...
        >>> stop.best_metric, stop.stopped_epoch
        (9.0, 5)
    """

    @checked(patience=integer(1), baseline=NUMBER, verbose=FLAG, restore_best=FLAG, monitor=NAME)
    def __init__(
        self,
        patience: int = 500,
        min_delta: float | int = 0.0,
        mode: str = "min",
        metric_fn: object = None,
        baseline: float | int | None = None,
        verbose: bool = True,
        restore_best: bool = False,
        monitor: str | None = None,
    ) -> None:
        self._monitor = Monitor("EarlyStopping", TOTAL if monitor is None else monitor, mode, min_delta)
        if metric_fn is not None and (monitor is not None or restore_best):
            beside = "restore_best=True" if restore_best else f"monitor={monitor!r}"
            raise ValueError(
                f"EarlyStopping(metric_fn=..., {beside}): a function does not tell which weights its value belongs to; "
                "make the value a tracker and give its label as monitor="
            )
        if metric_fn is not None and not callable(metric_fn):
            raise TypeError(f"EarlyStopping(metric_fn={metric_fn!r}): metric_fn must be callable")
        self.patience = require_int(patience, "EarlyStopping(patience)", minimum=1)
        self.min_delta, self.mode = float(min_delta), mode
        self.metric_fn: Callable[..., Any] | None = metric_fn
        self.baseline = None if baseline is None else float(baseline)
        self.verbose, self.restore_best = verbose, restore_best
        self.needs_measured = self.restores_weights = restore_best
        self._improved_at = -1
        self._forget()

    def _forget(self) -> None:
        self.best_metric = self.baseline
        self.best_epoch: int | None = None
        self._best_state: Any = None
        self.stopped_epoch: int | None = None

    @property
    def has_stopped(self) -> bool:
        """Whether training was stopped by this callback."""
        return self.stopped_epoch is not None

    def on_solve_begin(self, **kw: Any) -> None:
        """Begin anew."""
        self._monitor.check(kw)
        self._forget()
        self._improved_at = kw["epoch"] - 1

    def on_epoch_end(self, **kw: Any) -> bool:
        """Whether patience is at its end."""
        epoch = kw["epoch"]
        metric = self._monitor.value(kw) if self.metric_fn is None else float(self.metric_fn(**kw))
        if metric is None:  # a tracker that was not evaluated
            return False
        if self._monitor.improves(metric, self.best_metric):
            self.best_metric, self.best_epoch, self._improved_at = metric, epoch, epoch
            if self.restore_best:
                self._best_state = kw["measured"](self._monitor.name if self._monitor.name in kw["tracked"] else None)
                self.best_epoch = int(self._best_state.epoch)
        if epoch - self._improved_at < self.patience:
            return False
        self.stopped_epoch = epoch
        if self.verbose:
            kw["log"].info(
                f"early stopping at epoch {epoch}: no improvement on {self.best_metric} in "
                f"{epoch - self._improved_at} epochs"
            )
        return True

    def on_solve_end(self, **kw: Any) -> Any:
        """The state with the best weights, if they are to be restored."""
        best, self._best_state = self._best_state, None
        if self.verbose and best is not None:
            kw["log"].info(
                f"early stopping: the models hold the weights of epoch {self.best_epoch}, {self._monitor.name} = "
                f"{self.best_metric}"
            )
        return best
