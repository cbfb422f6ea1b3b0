"""Losses as lines of the message logger."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from jaxtyping import Float, Int

from jno.utils import get_logger

from ._metric_logger import MetricLogger, RunDescription


@final
class ConsoleLogger(MetricLogger):
    """About ten lines per `solve` call: epoch, total loss, loss of every constraint, time per epoch.

    The first and the last planned epoch have a line, and so has the end of each batch of epochs in which a tenth of the
    planned epochs (ten at least) was completed. Lines go where `jno.logger` sends them. Tracked values are not shown.

    Example:
        >>> import jno
        >>> import numpy as np
        >>> logger = jno.loggers.console()
        >>> logger.begin(jno.loggers.RunDescription(constraint_names=("pde", "boundary"), planned_epochs=1))
        >>> logger.log_losses(np.array([0]), np.array([[0.5, 0.1]]), np.array([0.002]))
        INFO: epoch      0  loss 3.0000e-01  pde 5.000e-01  boundary 1.000e-01  (2.00 ms/epoch)
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._epochs = 0
        self._every = 1
        self._done = 0

    def begin(self, run: RunDescription) -> None:
        """Start counting."""
        self._names = run.constraint_names
        self._epochs = run.planned_epochs
        self._every = max(10, run.planned_epochs // 10)
        self._done = 0

    def log_losses(
        self, epochs: Int[np.ndarray, " m"], losses: Float[np.ndarray, "m C"], seconds: Float[np.ndarray, " m"]
    ) -> None:
        """Print the last of these epochs when a line is due."""
        if len(epochs) == 0:
            return
        before, self._done = self._done, self._done + len(epochs)
        due = self._done // self._every > before // self._every
        if before == 0 or due or self._done == self._epochs:
            last = losses[-1]
            parts = "  ".join(f"{name} {value:.3e}" for name, value in zip(self._names, last, strict=True))
            rate = 1e3 * seconds[-1] / self._done
            get_logger().info(f"epoch {epochs[-1]:>6}  loss {last.mean():.4e}  {parts}  ({rate:.2f} ms/epoch)")

    def log_value(self, name: str, epoch: int, value: Any) -> None:
        """Show nothing."""

    def end(self, reason: str | None) -> None:
        """Show nothing: training itself says why it stopped."""
