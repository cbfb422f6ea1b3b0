"""Losses as lines of the message logger."""

from __future__ import annotations

import itertools
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float, Int

from jno.utils import get_logger

from ._metric_logger import MetricLogger, RunDescription


@final
class ConsoleLogger(MetricLogger):
    """About ten lines per `solve` call: epoch, total loss, loss of every constraint, time per epoch.

    The first and the last epoch have a line, and so has every epoch with a round number: a multiple of the smallest of
    10, 20, 50, 100, 200, ... that makes no more than ten steps of the planned epochs. The time per epoch is the mean
    since the line before; lines of the first batch of epochs have none, because the program is compiled during it.
    Lines go where `jno.logger` sends them. Tracked values are not shown.

    Example:
        >>> import jno
        >>> import numpy as np
        >>> logger = jno.loggers.console()
        >>> logger.begin(jno.loggers.RunDescription(constraint_names=("pde", "boundary"), planned_epochs=2))
        >>> logger.log_losses(np.array([0]), np.array([[0.5, 0.1]]), np.array([3.0]))
        INFO: epoch      0  loss 3.0000e-01  pde 5.000e-01  boundary 1.000e-01
        >>> logger.log_losses(np.array([1]), np.array([[0.3, 0.1]]), np.array([3.002]))
        INFO: epoch      1  loss 2.0000e-01  pde 3.000e-01  boundary 1.000e-01  (2.00 ms/epoch)
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._last = 0
        self._every = 10
        self._mark: _Row | None = None  # the pace is measured from here
        self._newest: _Row | None = None
        self._shown: int | None = None

    def begin(self, run: RunDescription) -> None:
        """Start afresh."""
        self._names = run.constraint_names
        self._last = run.first_epoch + run.planned_epochs - 1
        self._every = _round_interval(run.planned_epochs)
        self._mark = self._newest = self._shown = None

    def log_losses(
        self, epochs: Int[np.ndarray, " m"], losses: Float[np.ndarray, "m C"], seconds: Float[np.ndarray, " m"]
    ) -> None:
        """Print the lines that are due."""
        if len(epochs) == 0:
            return
        due = (epochs % self._every == 0) | (epochs == self._last)
        due[0] |= self._newest is None
        for i in np.flatnonzero(due):
            self._show(_Row(int(epochs[i]), losses[i], float(seconds[i])))
        self._newest = _Row(int(epochs[-1]), losses[-1], float(seconds[-1]))
        self._mark = self._mark or self._newest

    def _show(self, row: _Row) -> None:
        parts = [f"{name} {value:.3e}" for name, value in zip(self._names, row.losses, strict=True)]
        if self._mark is not None and row.epoch > self._mark.epoch:
            pace = 1e3 * (row.seconds - self._mark.seconds) / (row.epoch - self._mark.epoch)
            parts.append(f"({pace:.2f} ms/epoch)")
            self._mark = row
        self._shown = row.epoch
        get_logger().info("  ".join([f"epoch {row.epoch:>6}", f"loss {row.losses.mean():.4e}", *parts]))

    def log_value(self, name: str, epoch: int, value: object) -> None:
        """Show nothing."""

    def end(self, reason: str | None) -> None:
        """Print the last epoch of a training that ended early; training itself says why it stopped."""
        if self._newest is not None and self._newest.epoch != self._shown:
            self._show(self._newest)


class _Row(NamedTuple):
    """An epoch, its losses `(C,)` and when it ended."""

    epoch: int
    losses: np.ndarray
    seconds: float


def _round_interval(planned: int) -> int:
    return next(m * 10**k for k in itertools.count(1) for m in (1, 2, 5) if 10 * m * 10**k >= planned)
