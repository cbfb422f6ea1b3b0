"""How far training has come: a bar on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import numpy as np

from jno.utils import console_is_quiet, get_logger


class Progress:
    """The bar of one solve call, which stays on the terminal when training is over.

    Where the output is no terminal, the loggers' lines are the progress; only the compilation is announced here.

    Args:
        epochs: planned number.
        compiles: whether the first epochs wait for the compiler.
    """

    def __init__(self, epochs: int, *, compiles: bool) -> None:
        self._epochs = epochs
        self._compiles = compiles
        self._done = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stdout.isatty() and not console_is_quiet():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("loss {task.fields[loss]}"),
            )
            self._bar.start()
            doing = "compiling" if self._compiles else "training"
            self._task = self._bar.add_task(doing, total=self._epochs, loss="-")
        elif self._compiles:
            get_logger().info("compiling")
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
            loss = f"{losses[-1].mean():.3e}"
            self._bar.update(self._task, description="training", completed=self._done, loss=loss)
