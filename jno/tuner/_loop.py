"""The loop of a search."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from ._job import Job, Jobs
from ._journal import Journal
from ._pool import Pool
from ._progress import Progress
from ._strategies import Strategy
from ._trial import Outcome, Trial

_PATIENCE = 0.5
"""Seconds between looks: not every system lets Ctrl-C end a wait."""


@dataclasses.dataclass(eq=False)
class _Entry:
    """A trial that was proposed and whose outcome was not yet reported to the strategy."""

    trial: Trial
    values: dict[str, Any]
    job: Job
    future: Future[Outcome] | None = None
    outcome: Outcome | None = None


@dataclasses.dataclass(eq=False)
class Loop:
    """Proposes, runs, waits and reports, in an order that does not depend on how long trials take.

    Attributes:
        strategy: proposes configurations.
        labels: gives a configuration as JSON values.
        pool: runs trials.
        journal: keeps finished trials.
        progress: says how far the search has come.
        jobs: makes the jobs of trials.
        done: trials with their outcomes, in the order in which they finished.
    """

    strategy: Strategy
    labels: Callable[[dict[str, Any]], dict[str, Any]]
    pool: Pool
    journal: Journal | None
    progress: Progress
    jobs: Jobs
    done: list[tuple[Trial, Outcome]] = dataclasses.field(default_factory=list, init=False)
    _waiting: deque[_Entry] = dataclasses.field(default_factory=deque, init=False)
    _reported: list[Outcome] = dataclasses.field(default_factory=list, init=False)
    _proposed: int = dataclasses.field(default=0, init=False)

    def go(self, in_flight: int) -> None:
        """Run all trials, ``in_flight`` at a time."""
        while True:
            while len(self._waiting) < in_flight and self._ask():
                pass
            if not self._waiting:
                return
            head = self._waiting[0]
            while head.outcome is None:
                self._collect()
            self._waiting.popleft()
            self.strategy.tell(head.values, head.outcome.objective)
            self._reported.append(head.outcome)

    def _ask(self) -> bool:
        values = self.strategy.ask()
        if values is None:
            return False
        trial = Trial(self._proposed, dict(values), self.labels(values))
        self._proposed += 1
        entry = _Entry(trial, values, self.jobs.job(trial, self._reported))
        self._waiting.append(entry)
        in_journal = None if self.journal is None else self.journal.outcome_of(trial)
        repeated = self._repeated(trial)
        if in_journal is not None:
            self._finish(entry, in_journal, replayed=True)
        elif repeated is not None:
            self._finish(entry, repeated, replayed=False)
        else:
            entry.future = self.pool.submit(entry.job)
            self._collect(wait_for_one=False)
        return True

    def _repeated(self, trial: Trial) -> Outcome | None:
        """The outcome of an equal trial that was reported: trials are seeded, so it would be the same again."""
        finished = {outcome.number for outcome in self._reported if outcome.status == "finished"}
        for before, outcome in self.done:
            if before.number in finished and _equal(before.configuration, trial.configuration):
                return dataclasses.replace(outcome, number=trial.number, seconds=0.0)
        return None

    def _collect(self, *, wait_for_one: bool = True) -> None:
        """Take up what has finished, whichever trial it is; wait a moment for one."""
        running = {entry.future: entry for entry in self._waiting if entry.future is not None}
        finished = wait(running, _PATIENCE if wait_for_one else 0.0, return_when=FIRST_COMPLETED).done
        for entry in [running[future] for future in running if future in finished]:
            future = entry.future
            assert future is not None
            error = future.exception()
            again = None if error is None else self.pool.submit_again(entry.job, error)
            if again is not None:
                entry.future = again
            elif error is None:
                self._finish(entry, future.result(), replayed=False)
            elif isinstance(error, Exception):
                lost = Outcome(entry.trial.number, entry.trial.labels, None, 0.0, f"{type(error).__name__}: {error}")
                self._finish(entry, lost, replayed=False)
            else:
                raise error

    def _finish(self, entry: _Entry, outcome: Outcome, *, replayed: bool) -> None:
        entry.future, entry.outcome = None, outcome
        self.done.append((entry.trial, outcome))
        if self.journal is not None and not replayed:
            self.journal.add(outcome)
        self.progress.add(outcome, replayed=replayed)


def _equal(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether the same options were chosen; options of unknown kinds are the same when they are the same object."""

    def same(a: object, b: object) -> bool:
        return a is b or (type(a) is type(b) and isinstance(a, (int, float, str)) and a == b)

    return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
