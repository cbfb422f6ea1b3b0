"""Losses and tracked values as comma-separated files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float, Int

from jno.utils import FLAG, PATH, checked, user_path

from ._dropped import Dropped
from ._metric_logger import MetricLogger, RunDescription
from ._names import distinct_names
from ._table import Table
from ._values import as_real_array, statistics_of

_COLUMNS = ("epoch", "seconds", "total_loss")
_TRACKER_COLUMNS = ("epoch", "name", "statistic", "value")
_MICROSECONDS = 6


@final
class CSVLogger(MetricLogger):
    """One row per epoch in a CSV file (RFC 4180); tracked values in a second file in long form.

    The columns are `epoch`, `seconds` (since that `solve` call began), `total_loss` and one per constraint; a
    constraint that is called like one of the first three, or like another constraint, gets a number. Trackers go to
    `<path without extension>.trackers.csv` with the columns `epoch`, `name`, `statistic`, `value`: a number has one row
    with the statistic `value`, an array four, `mean`, `std`, `min`, `max` over all its entries.

    Later `solve` calls add rows; one that goes on from a checkpoint first removes the last rows of epochs that it does
    again. Rows are written as training goes, whole rows only: what a killed process wrote can
    be read and is added to. Losses are written with the digits that identify them in their precision.

    Args:
        path: the file; missing directories are created.
        append: add to files that exist before the first `solve` call. Default True; False replaces them.

    Raises:
        ValueError: `path` is a directory or a device; `begin` raises it when the file has other columns than this run.

    Warns:
        UserWarning: once when a file cannot be written; the rest of that `solve` call is not logged there.

    Example:
        >>> from pathlib import Path
        >>> import jno
        >>> import numpy as np
        >>> logger = jno.loggers.csv("loss.csv")
        >>> logger.begin(jno.loggers.RunDescription(constraint_names=("pde",), planned_epochs=2))
        >>> logger.log_losses(np.arange(2), np.array([[0.5], [0.25]]), np.array([0.1, 0.2]))
        >>> print(Path("loss.csv").read_text(), end="")
        epoch,seconds,total_loss,pde
        0,0.1,0.5,0.5
        1,0.2,0.25,0.25
    """

    @checked("csv", path=PATH, append=FLAG)
    def __init__(self, path: str | os.PathLike[str], *, append: bool = True) -> None:
        self.path = user_path(path)
        if self.path.exists() and not self.path.is_file():  # a directory, a device, a pipe
            raise ValueError(f"CSVLogger: {str(self.path)!r} is no regular file; give a file, e.g. 'loss.csv'.")
        self._append = append
        self._begun: set[Path] = set()
        self._losses: Table | None = None
        self._values: Table | None = None
        self._dropped = Dropped()

    @property
    def trackers_path(self) -> Path:
        """The file of tracked values; it exists only when there are trackers."""
        return self.path.with_name(f"{self.path.stem}.trackers{self.path.suffix}")

    def begin(self, run: RunDescription) -> None:
        """Write the headers, or check those of existing files."""
        repeated_from = run.first_epoch if run.resumed else None
        self._losses = self._started(
            Table(self.path, distinct_names((*_COLUMNS, *run.constraint_names))), repeated_from
        )
        self._values = None
        if run.tracker_names:
            self._values = self._started(Table(self.trackers_path, _TRACKER_COLUMNS), repeated_from)

    def log_losses(
        self, epochs: Int[np.ndarray, " m"], losses: Float[np.ndarray, "m C"], seconds: Float[np.ndarray, " m"]
    ) -> None:
        """Add one row per epoch."""
        if len(epochs):
            columns = (epochs, np.round(seconds, _MICROSECONDS), losses.mean(axis=1), *losses.T)
            self._losses = self._added(self._losses, zip(*columns, strict=True))

    def log_value(self, name: str, epoch: int, value: object) -> None:
        """Add one row per statistic."""
        array = as_real_array(value)
        if array is None:
            self._dropped.not_real(name, value)
        else:
            rows = [(epoch, name, statistic, number) for statistic, number in statistics_of(array).items()]
            self._values = self._added(self._values, rows)

    def end(self, reason: str | None) -> None:
        """Nothing is left to write."""

    def _started(self, table: Table, repeated_from: int | None) -> Table | None:
        try:
            table.start(keep=self._append or table.path in self._begun)
            if repeated_from is not None:
                table.cut_from(repeated_from)
        except OSError as error:
            self._warn(table, error)
            return None
        self._begun.add(table.path)
        return table

    def _added(self, table: Table | None, rows: Iterable[Sequence[Any]]) -> Table | None:
        if table is not None:
            try:
                table.add(rows)
            except OSError as error:
                self._warn(table, error)
                return None
        return table

    def _warn(self, table: Table, error: OSError) -> None:
        self._dropped.warn(
            str(table.path),
            f"{str(table.path)!r} cannot be written ({error.strerror}): training goes on, and the rest of this solve "
            "call is not logged there. Free the disk or give a path where you may write.",
        )
