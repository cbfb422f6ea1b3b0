"""What a sweep tries, and what came of it."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Trial:
    """One configuration to try."""

    number: int
    configuration: dict[str, Any]
    """Chosen values by name: numbers, or options of any kind."""
    labels: dict[str, Any]
    """The same as plain JSON values: numbers, strings and booleans as they are, other options by their name."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a trial.  Plain values only: it goes through processes and JSON files."""

    number: int
    labels: dict[str, Any]
    objective: float | None
    """``None``: the trial failed, or its objective was not finite."""
    seconds: float
    error: str | None = None
    """Exception of a failed trial, ``"ValueError: ..."``."""
    traceback: str | None = None
    pruned_at: int | None = None
    """Epochs after which a hopeless trial was given up; its objective is that of then."""
    rungs: dict[int, float] = dataclasses.field(default_factory=dict)
    """Total loss after so many epochs, at the places where pruning looks."""
