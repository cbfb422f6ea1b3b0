"""Losses and tracked values in Weights & Biases."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from jaxtyping import Float, Int

from jno.utils import TEXT, checked, from_extra, user_path

from ._dropped import Dropped
from ._metric_logger import MetricLogger, RunDescription, checked_interval
from ._values import SCALAR, as_real_array, histogram_of, statistics_of


@final
class WandbLogger(MetricLogger):
    """Logs to one run of Weights & Biases (`pip install 'jno-jax[wandb]'`), begun when the logger is made.

    Keys are `total_loss`, `loss/<constraint>`, `seconds`, `tracker/<name>` and, for arrays, `tracker_mean/<name>` (also
    `std`, `min`, `max`) and a histogram of the finite entries, `tracker/<name>`; `epoch` is the axis of all. Names,
    parameter counts, seed and options become the run's configuration. There is an alert at the first loss that is NaN
    or infinite and when training ends early. Several `solve` calls log to the same run, up to `finish`.

    Args:
        project: name of the project. Default None: W&B's own (`WANDB_PROJECT`, else "uncategorized").
        interval: log the losses of the epochs that are a multiple of it; alerts look at all. Default 1: of every epoch,
            which costs up to a millisecond per epoch.
        init: any other argument of `wandb.init`, e.g. `name`, `entity`, `mode="offline"`, `dir`.

    Attributes:
        run: the run that `wandb.init` returned.

    Raises:
        ImportError: wandb is not installed.
        ValueError: `interval` is below 1.

    Example:
        >>> import jno
        >>> logger = jno.loggers.wandb("poisson", mode="offline")  # doctest: +SKIP
        >>> crux.solve(1000, callbacks=[logger])  # doctest: +SKIP
        >>> logger.finish()  # doctest: +SKIP
    """

    @checked("wandb", project=TEXT)
    def __init__(self, project: str | None = None, *, interval: int = 1, **init: Any) -> None:
        self._interval = checked_interval(interval)
        self._wandb = _import_wandb()
        if init.get("dir") is not None:
            init["dir"] = str(user_path(init["dir"]))
        self.run = self._wandb.init(project=project, **init)
        self.run.define_metric("*", step_metric="epoch")  # W&B's own step may not go back, epochs of a new core do
        self._names: tuple[str, ...] = ()
        self._dropped = Dropped()
        self._alerted = False
        self._finished = False

    def begin(self, run: RunDescription) -> None:
        """Add to the configuration of the run.

        Raises:
            RuntimeError: the run was finished.
        """
        if self._finished:
            raise RuntimeError("This Weights & Biases run is finished; make another jno.loggers.wandb(...).")
        self._names = run.constraint_names
        self._alerted = False
        description = {
            "constraint_names": list(run.constraint_names),
            "tracker_names": list(run.tracker_names),
            "first_epoch": run.first_epoch,
            "planned_epochs": run.planned_epochs,
            "seed": run.seed,
            **run.parameter_counts,
            **run.options,
        }
        self.run.config.update(description, allow_val_change=True)

    def log_losses(
        self, epochs: Int[np.ndarray, " m"], losses: Float[np.ndarray, "m C"], seconds: Float[np.ndarray, " m"]
    ) -> None:
        """Log one point per logged epoch; alert at the first loss that is not finite."""
        keys = ("epoch", "seconds", "total_loss", *(f"loss/{name}" for name in self._names))
        logged = epochs % self._interval == 0
        columns = (column[logged] for column in (epochs, seconds, losses.mean(axis=1), *losses.T))
        for row in zip(*(column.tolist() for column in columns), strict=True):
            self.run.log(dict(zip(keys, row, strict=True)))
        bad = np.argwhere(~np.isfinite(losses))
        if len(bad) and not self._alerted:
            self._alerted = True
            row, column = bad[0]
            text = f"epoch {epochs[row]}: {self._names[column]} = {losses[row, column]}"
            self.run.alert(title="Loss is not finite", text=text, level="ERROR")

    def log_value(self, name: str, epoch: int, value: object) -> None:
        """Log a number, or statistics and histogram of an array."""
        array = as_real_array(value)
        if array is None:
            self._dropped.not_real(name, value)
            return
        point: dict[str, Any] = {"epoch": epoch}
        for statistic, number in statistics_of(array).items():
            point[f"tracker/{name}" if statistic == SCALAR else f"tracker_{statistic}/{name}"] = number
        histogram = histogram_of(array)
        if histogram is not None:
            point[f"tracker/{name}"] = self._wandb.Histogram(np_histogram=histogram)
        self.run.log(point)

    def end(self, reason: str | None) -> None:
        """Alert when training ended early; the run stays open."""
        if reason is not None:
            self.run.alert(title="Training ended early", text=reason, level="WARN")

    def finish(self) -> None:
        """Finish the run: W&B uploads what is left and marks it as done. Further calls do nothing."""
        if not self._finished:
            self._finished = True
            self.run.finish()


def _import_wandb() -> Any:
    with from_extra("wandb", "Logging to Weights & Biases needs wandb"):
        import wandb
    return wandb
