"""The protocol of metric loggers: what training tells them, in which order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jno.utils import is_integral


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """What a `solve` call is about to do.

    Args:
        constraint_names: names of the constraints, in the order of the columns of the losses; no name twice
            (`distinct_names` makes labels so).
        tracker_names: names of the trackers; no name twice. Default none.
        first_epoch: number of the first epoch; later `solve` calls of a core count on. Default 0.
        planned_epochs: number of epochs of the `solve` call, at least 1.
        parameter_counts: e.g. `{"trainable_params": 1000, "frozen_params": 0}`. Default none.
        seed: seed of the random streams. Default None: not known.
        options: options of the `solve` call and other facts about the run (default: none).
        resumed: whether it goes on from a checkpoint, so that epochs which were logged before may come again. Default
            False.

    Raises:
        ValueError: a name appears twice, or `planned_epochs` is below 1.

    Example:
        >>> from jno.loggers import RunDescription
        >>> run = RunDescription(constraint_names=("pde", "boundary"), planned_epochs=1000, seed=42)
        >>> run.first_epoch
        0
    """

    constraint_names: tuple[str, ...]
    tracker_names: tuple[str, ...] = ()
    first_epoch: int = 0
    planned_epochs: int
    parameter_counts: Mapping[str, int] = field(default_factory=dict)
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    resumed: bool = False

    def __post_init__(self) -> None:
        if self.planned_epochs < 1:
            raise ValueError(f"planned_epochs={self.planned_epochs}: it must be at least 1")
        for kind, names in (("constraint", self.constraint_names), ("tracker", self.tracker_names)):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(
                    f"{kind}_names holds {', '.join(repeated)} more than once: values of two {kind}s would be mixed "
                    "up. Give names without repetition, e.g. jno.loggers.distinct_names(labels)."
                )


class MetricLogger(ABC):
    """Receives losses and tracked values while training runs: `core.solve(callbacks=[logger])`.

    One `solve` call is `begin`, then any number of `log_losses` and `log_value`, then `end`; a logger may go through
    several of them. Losses arrive in batches of consecutive epochs, every epoch once. A value tracked at an epoch is
    that of the weights before its update, as the losses of that epoch are, but it arrives before them.

    It is a metric logger because it logs metrics, as the loggers of Lightning and the metric writers of JAX do;
    `jno.Logger` writes messages.

    A logger whose destination fails while training runs (a full disk) warns once and drops what comes; it never
    stops training. A destination that is wrong from the start is an error of the constructor or of `begin`.

    Example:
        >>> import numpy as np
        >>> from jno.loggers import MetricLogger, RunDescription
        >>> class Best(MetricLogger):
        ...     def begin(self, run):
        ...         self.loss = np.inf
        ...     def log_losses(self, epochs, losses, seconds):
        ...         self.loss = min(self.loss, losses.mean(axis=1).min())
        ...     def log_value(self, name, epoch, value):
        ...         pass
        ...     def end(self, reason):
        ...         print(f"best loss {self.loss}")
        >>> best = Best()
        >>> best.begin(RunDescription(constraint_names=("pde",), planned_epochs=2))
        >>> best.log_losses(np.arange(2), np.array([[0.5], [0.25]]), np.array([0.1, 0.2]))
        >>> best.end(None)
        best loss 0.25
    """

    @abstractmethod
    def begin(self, run: RunDescription) -> None:
        """Prepare for a `solve` call.

        Raises:
            ValueError: the destination holds something that does not fit this run.
        """

    @abstractmethod
    def log_losses(
        self, epochs: Int[np.ndarray, " m"], losses: Float[np.ndarray, "m C"], seconds: Float[np.ndarray, " m"]
    ) -> None:
        """Take the losses of `m` (perhaps 0) consecutive epochs.

        Args:
            epochs: their numbers.
            losses: one column per constraint; the total loss is the mean of a row.
            seconds: time since this `solve` call began training, at the end of each epoch.
        """

    @abstractmethod
    def log_value(self, name: str, epoch: int, value: object) -> None:
        """Take what a tracker gave at an epoch.

        Args:
            name: one of the run's `tracker_names`.
            epoch: the epoch.
            value: a real number or an array of real numbers of any shape. Anything else (and an empty array) is not
                logged and announced once per name; the training history keeps it.
        """

    @abstractmethod
    def end(self, reason: str | None) -> None:
        """Write what is left; `reason` says why training ended before its last planned epoch, None when it did not."""


def checked_interval(interval: int) -> int:
    """Return the interval, or raise a `ValueError` when it is below 1."""
    if not is_integral(interval, 1):
        raise ValueError(f"interval={interval}: it must be at least 1; losses of every interval-th epoch are logged")
    return interval
