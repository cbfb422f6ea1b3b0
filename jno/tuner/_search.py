"""The search: ask a strategy for trials, run them, tell it what came out."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

from jno.utils import get_logger

from ._device_config import DeviceConfig
from ._history import TuningHistory
from ._job import Jobs, RunTrial, Settings
from ._journal import Journal
from ._loop import Loop
from ._pool import pool_of
from ._progress import Progress
from ._strategies import Strategy


@dataclasses.dataclass(frozen=True)
class Resources:
    """Where the trials of a sweep run, where they are kept, and whether hopeless ones are stopped.

    Attributes:
        devices: see `DeviceConfig.from_spec`.
        executor: None: threads of this process, one for each device; a number of processes; or an `Executor`.
        workers: trials in flight on an `Executor`.
        journal: a file of finished trials; when it exists, the search is resumed from it.
        prune: whether the median rule stops hopeless trials.

    Example:
        >>> import jno
        >>> jno.tuner.Resources(executor=2, journal="sweep.jsonl", prune=True).prune
        True
    """

    devices: Any = None
    executor: Any = None
    workers: Any = None
    journal: str | os.PathLike[str] | None = None
    prune: Any = False

    def __post_init__(self) -> None:
        if not isinstance(self.prune, bool):
            raise TypeError(f"prune={self.prune!r}: expected True or False")


def search(
    run: RunTrial,
    strategy: Strategy,
    labels: Callable[[dict[str, Any]], dict[str, Any]],
    resources: Resources,
    description: Mapping[str, Any],
) -> TuningHistory:
    """Try what a strategy proposes until it has nothing more.

    A configuration that was tried to the end is not run again: trials are seeded.

    With ``W`` trials in flight, trial ``n + W`` is proposed right after the outcome of trial ``n`` was reported, so
    that the trials do not depend on how long each takes.

    Args:
        run: ``run(trial, *, rule)``, which returns an `Outcome`; called in other threads or processes.
        strategy: what to try.
        labels: configurations as JSON values.
        resources: where trials run and are kept.
        description: what the sweep is, as JSON values, for the journal.

    Returns:
        All trials.

    Raises:
        TypeError, ValueError: an option that cannot be honoured; a journal of another sweep.
        RuntimeError: another sweep is writing the journal.
        KeyboardInterrupt: after what runs was stopped; the journal keeps what had finished.
    """
    # without devices= an executor's workers use what they find, which may be another machine's
    found_by_workers = resources.devices is None and resources.executor is not None
    devices = None if found_by_workers else DeviceConfig.from_spec(resources.devices)
    pool = pool_of(resources.executor, resources.workers, devices)
    with contextlib.ExitStack() as stack:
        journal = None
        if resources.journal is not None:
            journal = Journal(resources.journal, description, pool.workers)
            stack.callback(journal.close)
            if len(journal):
                get_logger().info(f"going on from {journal.name}: {len(journal)} trials are done")
        jobs = Jobs(run, devices, Settings.current(), resources.prune)
        progress = stack.enter_context(Progress(strategy.total))
        stack.enter_context(pool)
        loop = Loop(strategy, labels, pool, journal, progress, jobs)
        try:
            loop.go(pool.workers if journal is None else journal.in_flight)
        except KeyboardInterrupt:
            fate = "lost, as there is no journal=" if journal is None else f"in {journal.name}: sweep again to go on"
            get_logger().warning(f"the sweep was interrupted; its {len(loop.done)} trials are {fate}")
            raise
    return TuningHistory(loop.done)
