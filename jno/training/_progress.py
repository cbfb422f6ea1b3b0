"""What the user sees while training: a bar on a terminal, log lines everywhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import numpy as np

from jno.utils import get_logger


class Progress:
    """Progress bar (terminal only) and about ten log lines per solve call."""

    def __init__(self, epochs: int, first_epoch: int, names: list[str]) -> None:
        self._epochs = epochs
        self._first = first_epoch
        self._names = names
        self._every = max(10, epochs // 10)
        self._done = 0
        self._bar: Any = None
        self._task: Any = None

    @property
    def next_line(self) -> int:
        """Epochs until the next log line is due."""
        return self._every - self._done % self._every

    def __enter__(self) -> Progress:
        if sys.stdout.isatty():
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

    def advance(self, losses: np.ndarray, seconds: float) -> None:
        """After some epochs with losses ``(m, C)``; ``seconds`` since training began."""
        if len(losses) == 0:
            return
        before, self._done = self._done, self._done + len(losses)
        last = losses[-1]
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, loss=f"{last.mean():.3e}")
        due = self._done // self._every > before // self._every
        if before == 0 or due or self._done == self._epochs:
            rate = 1e3 * seconds / self._done
            parts = "  ".join(f"{name} {value:.3e}" for name, value in zip(self._names, last, strict=True))
            epoch = self._first + self._done - 1
            get_logger().info(f"epoch {epoch:>6}  loss {last.mean():.4e}  {parts}  ({rate:.2f} ms/epoch)")
