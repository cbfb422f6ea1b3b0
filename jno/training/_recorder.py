"""History of one solve call: one row per epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jno.loggers import MetricLogger, RunDescription

_FEWEST, _FALL, _DONE = 20, 0.9, 1e-3


class Recorder:
    """Collects losses, times and tracked values; `log` is the dict that `statistics` reads.

    Args:
        run: the planned run.
        names: labels of the constraints, as the user gave them.
        loggers: they log what is recorded.
    """

    def __init__(self, run: RunDescription, names: list[str], loggers: Sequence[MetricLogger]) -> None:
        self._run = run
        self._names = names
        self._first_epoch = run.first_epoch
        self._loggers = list(loggers)
        self._losses: list[np.ndarray] = []
        self._times: list[np.ndarray] = []
        self._tracked: dict[int, dict[str, Any]] = {}
        self._start = time.perf_counter()
        self._last = 0.0
        self.stop_reason: str | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the recorder was made."""
        return time.perf_counter() - self._start

    @property
    def epochs(self) -> int:
        """Recorded epochs."""
        return sum(len(rows) for rows in self._losses)

    @property
    def first_loss(self) -> float | None:
        """The total loss of the first epoch; None before it."""
        return float(np.mean(self._losses[0][0])) if self._losses else None

    @property
    def still_falling(self) -> bool:
        """Whether the mean of the total loss fell by a tenth from the third to the last quarter of at least 20 epochs.

        One that is below a thousandth of the first has done its work.
        """
        if self.epochs < _FEWEST:
            return False
        totals = np.concatenate(self._losses).mean(axis=1)
        quarter = len(totals) // 4
        before, last = np.mean(totals[-2 * quarter : -quarter]), np.mean(totals[-quarter:])
        return bool(_DONE * totals[0] < last < _FALL * before)

    def add(self, losses: Float[np.ndarray, "E C"]) -> None:
        """Losses of the epochs since the last call; their time is shared out evenly."""
        now = self.elapsed
        if len(losses):
            epochs = self._first_epoch + self.epochs + np.arange(len(losses))
            times = self._last + (now - self._last) * np.arange(1, len(losses) + 1) / len(losses)
            self._times.append(times)
            self._losses.append(np.asarray(losses))
            for logger in self._loggers:
                logger.log_losses(epochs, np.asarray(losses), times)
        self._last = now

    def track(self, number: int, name: str, epoch: int, value: object) -> None:
        """A value of the tracker with this number (labels need not be unique)."""
        entry = self._tracked.setdefault(number, {"name": name, "epoch": [], "values": []})
        entry["epoch"].append(epoch)
        entry["values"].append(value)
        for logger in self._loggers:
            logger.log_value(self._run.tracker_names[number], epoch, value)

    def begin(self) -> None:
        """Tell the loggers the planned run."""
        for logger in self._loggers:
            logger.begin(self._run)

    def end(self) -> None:
        """Tell the loggers that training is over."""
        for logger in self._loggers:
            logger.end(self.stop_reason)

    def log(self) -> dict[str, Any]:
        """The history as one dict."""
        losses = np.concatenate(self._losses) if self._losses else np.zeros((0, len(self._names)))
        times = np.concatenate(self._times) if self._times else np.zeros(0)
        log: dict[str, Any] = {
            "epoch": self._first_epoch + np.arange(len(losses)),
            "total_loss": losses.mean(axis=1) if len(losses) else np.zeros(0),
            "losses": losses,
            "timestamps": times,
            "training_time": self.elapsed,
            "constraint_names": list(self._names),
            **self._run.parameter_counts,
        }
        if self._tracked:
            log["track_stats"] = [
                {**entry, "epoch": np.asarray(entry["epoch"]), "values": _stacked(entry["values"])}
                for entry in self._tracked.values()
            ]
        if self.stop_reason is not None:
            log["stop_reason"] = self.stop_reason
        return log


def _stacked(values: list[Any]) -> np.ndarray | list[Any]:
    shapes = {np.shape(value) for value in values}
    return np.asarray(values) if len(shapes) == 1 else values
