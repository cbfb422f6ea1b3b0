"""The search: ask a strategy for trials, run them, tell it what came out."""

from __future__ import annotations

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


def search(
    run: RunTrial,
    strategy: Strategy,
    labels: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    description: Mapping[str, Any],
    devices: Any = None,
    executor: Any = None,
    workers: Any = None,
    journal: str | os.PathLike[str] | None = None,
    prune: Any = False,
) -> TuningHistory:
    """Try what a strategy asks for until it has nothing more.

    A configuration that was tried to the end is not run again: trials are seeded.

    With ``W`` trials in flight, trial ``n + W`` is asked for right after trial ``n`` was told, so that the trials do
    not depend on how long each takes.

    Args:
        run: ``run(trial, *, rule)``, which returns an `Outcome`; called in other threads or processes.
        strategy: what to try.
        labels: configurations as JSON values.
        description: what the sweep is, as JSON values, for the journal.
        devices: see `DeviceConfig.from_spec`.
        executor: None: threads of this process, one for each device; a number of processes; or an `Executor`.
        workers: trials in flight on an `Executor`.
        journal: a file of finished trials; when it exists, the search goes on from it.
        prune: whether the median rule stops hopeless trials.

    Returns:
        All trials.

    Raises:
        TypeError, ValueError: an option that cannot be honoured; a journal of another sweep.
        KeyboardInterrupt: after what runs was stopped; the journal keeps what had finished.
    """
    if not isinstance(prune, bool):
        raise TypeError(f"prune={prune!r}: expected True or False")
    # without devices= an executor's workers use what they find, which may be another machine's
    chosen = DeviceConfig.from_spec(devices) if devices is not None or executor is None else None
    pool = pool_of(executor, workers, chosen)
    book = None if journal is None else Journal(journal, description, pool.workers)
    in_flight = pool.workers if book is None else book.in_flight
    if book is not None and len(book):
        get_logger().info(f"going on from {book.path}: {len(book)} trials are done")
    jobs = Jobs(run, chosen, Settings.current(), prune)
    with Progress(strategy.total) as progress, pool:
        loop = Loop(strategy, labels, pool, book, progress, jobs)
        try:
            loop.go(in_flight)
        except KeyboardInterrupt:
            kept = "lost, as there is no journal=" if book is None else f"in {book.path}: sweep again to go on"
            get_logger().warning(f"the sweep was interrupted; its {len(loop.done)} trials are {kept}")
            raise
    return TuningHistory(loop.done)
