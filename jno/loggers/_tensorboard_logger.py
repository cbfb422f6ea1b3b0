"""Losses and tracked values as event files of TensorBoard."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any, final

import numpy as np
from jaxtyping import Float, Int

from jno.utils import PATH, checked, from_extra, user_path

from ._dropped import Dropped
from ._event_summaries import histogram, restart, scalars, text
from ._metric_logger import MetricLogger, RunDescription, checked_interval
from ._values import SCALAR, as_real_array, histogram_of, statistics_of

_FLUSH_SECONDS = 5.0  # a flush waits for the disk
_VERSION = "brain.Event:2"


@final
class TensorBoardLogger(MetricLogger):
    """Writes event files that `tensorboard --logdir <directory>` shows (`pip install 'jno-jax[tensorboard]'`).

    Curves are `total_loss`, `loss/<constraint>`, `seconds`, `tracker/<name>` and, for arrays, `tracker_mean/<name>`
    (also `std`, `min`, `max`) and a histogram of the finite entries, `tracker/<name>`; the epoch is the step.
    TensorBoard stores numbers in single precision. The description of each `solve` call and why it ended early are the
    texts `run` and `ended_early`. Every `solve` call writes a separate file into the directory; TensorBoard joins them,
    and shows epochs that are done again after going on from a checkpoint once. A process that is killed loses the
    events of its last seconds.

    Events are written by the training process itself, not by a thread with a queue (as tensorboardX's `SummaryWriter`
    does), so that a full disk cannot block training.

    Args:
        directory: where the files go; it is created.
        interval: log the losses of the epochs that are a multiple of it. Default 1: of every epoch, which costs about
            a tenth of a millisecond per epoch.

    Raises:
        ImportError: tensorboardX is not installed.
        ValueError: `directory` is a file, or `interval` is below 1.

    Warns:
        UserWarning: once when the events cannot be written; the rest of that `solve` call is not logged there.

    Example:
        >>> import jno
        >>> import numpy as np
        >>> logger = jno.loggers.tensorboard("events")
        >>> logger.begin(jno.loggers.RunDescription(constraint_names=("pde",), planned_epochs=1))
        >>> logger.log_losses(np.array([0]), np.array([[0.5]]), np.array([0.1]))
        >>> logger.end(None)
    """

    @checked("tensorboard", directory=PATH)
    def __init__(self, directory: str | os.PathLike[str], *, interval: int = 1) -> None:
        self._interval = checked_interval(interval)
        _import_tensorboard()
        self.directory = user_path(directory)
        if self.directory.is_file():
            raise ValueError(f"TensorBoardLogger: {str(self.directory)!r} is a file; give a directory.")
        self._names: tuple[str, ...] = ()
        self._writer: Any = None
        self._started = 0.0
        self._flushed = time.monotonic()
        self._epoch = 0
        self._dropped = Dropped()

    def begin(self, run: RunDescription) -> None:
        """Begin a file with the description of the run."""
        self._close()
        self._names = run.constraint_names
        self._started = time.time()
        self._epoch = run.first_epoch
        self._guarded(self._open)
        self._write(self._started, file_version=_VERSION)
        if run.resumed:
            self._write(self._started, step=run.first_epoch, session_log=restart())
        facts = {
            "seed": run.seed,
            "first epoch": run.first_epoch,
            "planned epochs": run.planned_epochs,
            **run.parameter_counts,
            **run.options,
        }
        lines = "\n".join(f"- {key}: {value}" for key, value in facts.items())
        self._write(self._started, step=run.first_epoch, summary=text("run", lines))

    def log_losses(
        self, epochs: Int[np.ndarray, " m"], losses: Float[np.ndarray, "m C"], seconds: Float[np.ndarray, " m"]
    ) -> None:
        """Write one event per logged epoch, at the wall time at which the epoch ended."""
        tags = ("seconds", "total_loss", *(f"loss/{name}" for name in self._names))
        logged = epochs % self._interval == 0
        epochs, losses, seconds = epochs[logged], losses[logged], seconds[logged]
        columns = (epochs, seconds, losses.mean(axis=1), *losses.T)
        for epoch, *numbers in zip(*(column.tolist() for column in columns), strict=True):
            summary = scalars(dict(zip(tags, numbers, strict=True)))
            self._write(self._started + numbers[0], step=epoch, summary=summary)
            self._epoch = epoch
        if self._writer is not None and time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._guarded(self._writer.flush)
            self._flushed = time.monotonic()

    def log_value(self, name: str, epoch: int, value: object) -> None:
        """Write a number, or statistics and histogram of an array."""
        array = as_real_array(value)
        if array is None:
            self._dropped.not_real(name, value)
            return
        numbers = {
            f"tracker/{name}" if statistic == SCALAR else f"tracker_{statistic}/{name}": number
            for statistic, number in statistics_of(array).items()
        }
        summary = scalars(numbers)
        bins = histogram_of(array)
        if bins is not None:
            summary.value.add(tag=f"tracker/{name}", histo=histogram(array, *bins))
        self._write(time.time(), step=epoch, summary=summary)

    def end(self, reason: str | None) -> None:
        """Close the file."""
        if reason is not None:
            self._write(time.time(), step=self._epoch, summary=text("ended_early", reason))
        self._close()

    # --- the file ---------------------------------------------------------------------------------------------
    def _open(self) -> None:
        from tensorboardX.record_writer import RecordWriter

        self.directory.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads files in the order of their names; two solve calls may begin in one second
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        name = f"events.out.tfevents.{seconds}.{socket.gethostname()}.{nanoseconds:09d}.{os.getpid()}"
        self._writer = RecordWriter(str(self.directory / name))

    def _write(self, wall_time: float, **content: object) -> None:
        from tensorboardX.proto.event_pb2 import Event

        if self._writer is not None:
            event = Event(wall_time=wall_time, **content)
            self._guarded(lambda: self._writer.write(event.SerializeToString()))

    def _close(self) -> None:
        if self._writer is not None:
            self._guarded(self._writer.close)
            self._writer = None

    def _guarded(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except OSError as error:
            if self._writer is not None:
                with contextlib.suppress(OSError):  # of the bytes in the buffer, for which there is no room either
                    self._writer.close()
                self._writer = None
            self._dropped.warn(
                "events",
                f"events cannot be written to {str(self.directory)!r} ({error}): training goes on, and the rest of "
                "this solve call is not logged there. Free the disk or give a directory where you may write.",
            )


def _import_tensorboard() -> None:
    with from_extra("tensorboard", "Logging to TensorBoard needs tensorboardX"):
        import tensorboardX  # noqa: F401
