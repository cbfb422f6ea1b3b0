"""A progress bar on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import numpy as np

from jno.utils import console_is_quiet


class Progress:
    """The bar of one solve call; nothing where the output is no terminal."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._done = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stdout.isatty() and not console_is_quiet():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("loss {task.fields[loss]}"),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("training", total=self._epochs, loss="-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, losses: np.ndarray) -> None:
        """After some epochs with losses ``(m, C)``."""
        if self._bar is not None and len(losses):
            self._done += len(losses)
            self._bar.update(self._task, completed=self._done, loss=f"{losses[-1].mean():.3e}")
