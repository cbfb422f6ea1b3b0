"""What a sweep tries, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class Trial:
    """One configuration to try.

    Example:
        >>> import jno
        >>> trial = jno.tuner.Trial(0, {"width": 16, "act": abs}, {"width": 16, "act": "abs"})
        >>> trial.configuration["width"], trial.labels["act"]
        (16, 'abs')
    """

    number: int
    configuration: dict[str, Any]
    """Chosen values by name: numbers, or options of any kind."""
    labels: dict[str, Any]
    """The same as plain JSON values: numbers, strings and booleans as they are, other options by their name."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a trial.  Plain values only: it goes through processes and JSON files.

    Example:
        >>> import jno
        >>> Outcome = jno.tuner.Outcome
        >>> Outcome(0, {"width": 16}, objective=0.25, seconds=1.5).status
        'finished'
        >>> Outcome(1, {"width": 32}, objective=None, seconds=0.1, error="ValueError: …").status
        'failed'
    """

    number: int
    labels: dict[str, Any]
    objective: float | None
    """``None``: the trial failed, or its objective was not finite."""
    seconds: float
    error: str | None = None
    """Exception of a failed trial, ``"ValueError: ..."``."""
    traceback: str | None = None
    pruned_at: int | None = None
    """Epoch at which a hopeless trial was given up; its objective is the value at that epoch."""
    rungs: dict[int, float] = dataclasses.field(default_factory=dict)
    """Total loss by number of epochs, at the epochs where pruning compares trials."""

    @property
    def status(self) -> Literal["failed", "pruned", "finished"]:
        """How the trial ended."""
        if self.error is not None:
            return "failed"
        return "finished" if self.pruned_at is None else "pruned"

    @property
    def is_ranked(self) -> bool:
        """Whether the trial finished with a finite objective."""
        return self.status == "finished" and self.objective is not None

    @property
    def value(self) -> float:
        """The objective of a trial that has one."""
        assert self.objective is not None
        return self.objective


def best_of(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The finished trial with the smallest objective, the first of equal ones."""
    return min((outcome for outcome in outcomes if outcome.is_ranked), key=lambda outcome: outcome.value, default=None)
