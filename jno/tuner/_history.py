"""What a sweep tried, and what came out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, final

from jno.utils import PATH, checked, get_logger, get_runs_base_dir, save_figure, user_path

from ._figure import history_figure
from ._table import history_table
from ._trial import Outcome, Trial, best_of

_DPI = 150
_FIGURE_NAME = "sweep.png"


@final
class TuningHistory:
    """All trials of a sweep, in the order of their numbers: `core.tuning_history`.

    Iterating gives the outcomes: `number`, `labels` (the configuration as numbers and names), `objective` (None when
    the trial failed), `seconds`, `error`, `traceback`, `pruned_at`, `rungs` (losses at the tenths of the training).

    Args:
        done: trials with their outcomes, in any order.

    Example:
        >>> from jno.tuner import TuningHistory
        >>> from jno.tuner._trial import Outcome, Trial
        >>> trials = [Trial(i, {"width": 2**i}, {"width": 2**i}) for i in range(3)]
        >>> history = TuningHistory([(t, Outcome(t.number, t.labels, abs(t.number - 1.25), 0.5)) for t in trials])
        >>> len(history), history.best.labels, history.best.objective
        (3, {'width': 2}, 0.25)
    """

    def __init__(self, done: Iterable[tuple[Trial, Outcome]]) -> None:
        ordered = sorted(done, key=lambda pair: pair[0].number)
        self.trials: tuple[Trial, ...] = tuple(trial for trial, _ in ordered)
        """Trials with their `configuration`: numbers, and options of any kind."""
        self.outcomes: tuple[Outcome, ...] = tuple(outcome for _, outcome in ordered)

    def __repr__(self) -> str:
        best = "None" if self.best is None else f"{self.best.objective:.4e}"
        return f"TuningHistory(trials={len(self)}, failed={len(self.failed)}, pruned={len(self.pruned)}, best={best})"

    def __len__(self) -> int:
        """The number of trials."""
        return len(self.outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        """The outcomes, by number."""
        return iter(self.outcomes)

    @property
    def best(self) -> Outcome | None:
        """The outcome with the smallest objective, the first of equal ones; never of a failed or pruned trial."""
        return best_of(self.outcomes)

    @property
    def best_trial(self) -> Trial | None:
        """The trial of `best`."""
        best = self.best
        return None if best is None else self.trials[self.outcomes.index(best)]

    @property
    def failed(self) -> list[Outcome]:
        """Outcomes with an `error`."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    @property
    def pruned(self) -> list[Outcome]:
        """Outcomes of trials that were stopped because they were hopeless."""
        return [outcome for outcome in self.outcomes if outcome.status == "pruned"]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each trial, as for a data frame: `trial`, `status`, `objective`, `seconds` and the labels."""
        return [
            {"trial": o.number, "status": o.status, "objective": o.objective, "seconds": o.seconds, **o.labels}
            for o in self.outcomes
        ]

    def summary(self) -> TuningHistory:
        """Print a table of the trials, the best first, and the reasons of failed ones.

        Returns:
            self, for chaining.

        Example:
            >>> crux.tuning_history.summary()  # doctest: +SKIP
        """
        from rich.console import Console

        Console(file=sys.stdout).print(history_table(self.outcomes))
        return self

    @checked(path=PATH)
    def plot(self, path: str | os.PathLike[str] | None = None) -> TuningHistory:
        """Save a figure: objectives with the best so far, and how much each option matters.

        The importance of an option is the permutation importance (Breiman, "Random Forests", 2001) of a random forest
        that predicts the objective, its logarithm where all are positive, from the configuration: by how much the
        share of the variance that it explains drops when the values of that option are shuffled.

        Args:
            path: the image file, in a format matplotlib knows by its extension; missing directories are created.
                Default None: `sweep.png` in the run directory (see `jno.setup`), else in `jno.get_runs_base_dir()`.

        Returns:
            self, for chaining.

        Raises:
            ImportError: scikit-learn is not installed (`jno-jax[tune]`).

        Example:
            >>> crux.tuning_history.plot("sweep.png")  # doctest: +SKIP
        """
        target = (get_logger().path or Path(get_runs_base_dir())) / _FIGURE_NAME if path is None else user_path(path)
        save_figure(history_figure(self.outcomes), target, _DPI)
        if path is None:
            get_logger().info(f"tuning history plotted to {target}")
        return self
