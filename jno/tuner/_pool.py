"""Where trials run: here, in threads, in processes of our own, on an executor of the user."""

from __future__ import annotations

import pickle
import threading
import warnings
from abc import ABC, abstractmethod
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import final

from jno.utils import dumps, interrupted_by, is_integer

from ._device_config import DeviceConfig
from ._job import Job
from ._trial import Outcome
from ._worker import Worker, check_own_processes


class Pool(ABC):
    """Runs jobs, `workers` of them at a time."""

    workers: int

    @abstractmethod
    def submit(self, job: Job) -> Future[Outcome]:
        """Start a job, now or when a worker is free."""

    @abstractmethod
    def close(self) -> None:
        """Let everything end; nothing runs any more."""

    @abstractmethod
    def abandon(self) -> None:
        """End now: forget what waits and stop what can be stopped."""

    def submit_again(self, job: Job, error: BaseException) -> Future[Outcome] | None:
        """Another attempt after the pool failed with an error; None: the trial is lost."""
        return None

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


@final
class InThread(Pool):
    """One trial after the other in the calling thread."""

    workers = 1

    def submit(self, job: Job) -> Future[Outcome]:
        """Run it now."""
        done: Future[Outcome] = Future()
        done.set_result(job())
        return done

    def close(self) -> None:
        """Nothing to end."""

    def abandon(self) -> None:
        """Nothing to end."""


@final
class Threads(Pool):
    """A thread of this process for each device."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="jno-trials")
        self._abandoned = threading.Event()

    def submit(self, job: Job) -> Future[Outcome]:
        """Start it in a free thread."""
        return self._threads.submit(self._run, job)

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown()

    def abandon(self) -> None:
        """Trials that train end after the epochs that the device is computing; what else they do ends by itself."""
        self._abandoned.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Job) -> Outcome:
        with interrupted_by(self._abandoned):
            return job()


@final
class Processes(Pool):
    """Processes that the sweep starts: one that dies loses its trial only."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._processes = [Worker() for _ in range(workers)]
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="jno-trials")

    def submit(self, job: Job) -> Future[Outcome]:
        """Start it in the process of its number, which is free when as many trials are in flight as processes."""
        process = self._processes[job.trial.number % self.workers]
        return self._threads.submit(process.run, job.trial, dumps(job))

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown()
        for process in self._processes:
            process.close()

    def abandon(self) -> None:
        """Kill the processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.kill()
        self.close()


@final
class Borrowed(Pool):
    """An executor of the user, which stays open.

    When a `ProcessPoolExecutor` breaks because one of its processes died, it never runs anything again and does not
    say which trial it was: those in flight are run again, and the others run, in as many processes of our own.
    """

    def __init__(self, executor: Executor, workers: int) -> None:
        self.workers = workers
        self._executor = executor
        self._instead: Processes | None = None
        self._futures: list[Future[Outcome]] = []

    def submit(self, job: Job) -> Future[Outcome]:
        """Hand it to the executor."""
        if self._instead is not None:
            return self._instead.submit(job)
        try:
            # options and expressions may be closures, which plain pickle refuses
            future: Future[Outcome] = self._executor.submit(_run, dumps(job))
        except BrokenProcessPool:
            return self._replacement().submit(job)
        self._futures.append(future)
        return future

    def submit_again(self, job: Job, error: BaseException) -> Future[Outcome] | None:
        """Use our own processes where the executor's died."""
        return self._replacement().submit(job) if isinstance(error, BrokenProcessPool) else None

    def close(self) -> None:
        """End what is ours."""
        if self._instead is not None:
            self._instead.close()

    def abandon(self) -> None:
        """Cancel what has not started."""
        for future in self._futures:
            future.cancel()
        if self._instead is not None:
            self._instead.abandon()

    def _replacement(self) -> Processes:
        if self._instead is None:
            warnings.warn(
                "a process of the ProcessPoolExecutor died, which breaks the executor; the sweep goes on in "
                f"{self.workers} processes of its own (what executor={self.workers} does from the start)",
                stacklevel=2,
            )
            self._instead = Processes(self.workers)
        return self._instead


def pool_of(executor: object, workers: object, devices: DeviceConfig | None) -> Pool:
    """The pool that `core.sweep(executor=, workers=, devices=)` means.

    Raises:
        TypeError: `executor` is something else.
        ValueError: fewer than one process or worker; `workers` without an executor, or an executor without `workers`.
    """
    if isinstance(executor, Executor):
        if workers is None:
            raise ValueError(
                f"executor={type(executor).__name__} does not say how many trials it runs at a time: give workers= "
                "(for ProcessPoolExecutor(4): workers=4)"
            )
        return Borrowed(executor, _at_least_one("workers", workers))
    if workers is not None:
        raise ValueError(
            f"workers={workers!r} is for executor=<an Executor>; processes are numbered by executor=<int>, threads by "
            "devices="
        )
    if executor is None:
        count = len(devices or DeviceConfig.auto_detect())
        return InThread() if count == 1 else Threads(count)
    if is_integer(executor):
        check_own_processes()
        return Processes(_at_least_one("executor", executor))
    raise TypeError(
        f"executor={executor!r}: expected None (threads of this process, one for each device), a number of processes "
        "or a concurrent.futures.Executor"
    )


_MOST_TRIALS = 10_000
"""At a time: more processes or threads no machine has."""


def _at_least_one(name: str, value: object) -> int:
    if not is_integer(value, 1) or value > _MOST_TRIALS:
        raise ValueError(f"{name}={value!r}: expected an integer of at least 1 (and at most {_MOST_TRIALS})")
    return value


def _run(payload: bytes) -> Outcome:
    return pickle.loads(payload)()
