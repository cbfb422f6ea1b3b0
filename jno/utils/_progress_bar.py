"""How far a long computation has come: a bar on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from jno.utils._logger import console_is_quiet

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressBar:
    """A bar that stays on the terminal when the computation is over.

    It is shown inside ``with``, if standard output is a terminal then and `quiet_console` is not in force.

    Args:
        total: number of steps.
        description: written before the bar.
        state: written behind it.

    Example:
        >>> from jno.utils import ProgressBar
        >>> with ProgressBar(2, "training", state="loss -") as bar:
        ...     bar.update(1, state="loss 1.000e+00")
        ...     bar.visible
        False
    """

    def __init__(self, total: int, description: str, *, state: str = "") -> None:
        self._total, self._description, self._state = total, description, state
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    @property
    def visible(self) -> bool:
        """Whether the bar is on the terminal now."""
        return self._bar is not None

    def __enter__(self) -> ProgressBar:
        if sys.stdout.isatty() and not console_is_quiet():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("{task.fields[state]}"),
                console=Console(),  # the shared one knows the terminal of its first use
            )
            self._bar.start()
            self._task = self._bar.add_task(self._description, total=self._total, state=self._state)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def update(self, completed: int, *, state: str, description: str | None = None) -> None:
        """Show a number of finished steps, the text behind the bar and, if there is one, a new text before it."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=completed, state=state, description=description)
