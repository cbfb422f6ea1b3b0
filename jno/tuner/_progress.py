"""How far a sweep has come: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from jno.utils import get_logger

from ._history import best_of
from ._trial import Outcome


class Progress:
    """Says what has been tried, and the best so far.

    Where the output is no terminal there are about ten lines, and one for each failed trial.

    Args:
        total: number of trials.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._every = max(1, total // 10)
        self._outcomes: list[Outcome] = []
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stdout.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("sweep"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("{task.fields[state]}"),
            )
            self._bar.start()
            self._task = self._bar.add_task("sweep", total=self._total, state="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def add(self, outcome: Outcome, *, replayed: bool) -> None:
        """After a trial."""
        self._outcomes.append(outcome)
        done, state = len(self._outcomes), self.state()
        if outcome.error is not None and not replayed:
            get_logger().warning(f"trial {outcome.number} failed: {_first_line(outcome.error)}")
        if self._bar is not None:
            self._bar.update(self._task, completed=done, state=state)
        elif not replayed and (done % self._every == 0 or done == self._total):
            get_logger().info(f"{done} of {self._total} trials  {state}")

    def state(self) -> str:
        """What has come out so far, in words."""
        failed = sum(outcome.error is not None for outcome in self._outcomes)
        pruned = sum(outcome.pruned_at is not None for outcome in self._outcomes)
        best = best_of(self._outcomes)
        parts = ["no result yet" if best is None else f"best {best.objective:.3e} (trial {best.number})"]
        parts += [f"{failed} failed"] * bool(failed) + [f"{pruned} pruned"] * bool(pruned)
        return "  ".join(parts)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
