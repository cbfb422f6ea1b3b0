"""A process of our own that runs trials, one after the other."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any, final

from jno.utils import dumps

from ._trial import Outcome, Trial

_NAME = "jno-trials"
_PATIENCE = 5.0
"""Seconds that an idle process gets to end by itself."""


class WorkerDiedError(RuntimeError):
    """The process that ran a trial ended before the trial did."""


def check_own_processes() -> None:
    """Refuse to start processes in one of our own.

    Raises:
        RuntimeError: saying what is missing: processes import the script, and this one sweeps when it is imported.
    """
    if multiprocessing.current_process().name == _NAME:
        raise RuntimeError(
            "sweep(executor=<int>) was called in a process that runs trials of a sweep: put what the script does under "
            "if __name__ == '__main__':"
        )


@final
class Worker:
    """Runs jobs in a process, which starts with the first one and is replaced when it dies."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Connection | None = None
        self._killed = False
        self._turn = threading.Lock()

    def run(self, trial: Trial, job: bytes) -> Outcome:
        """Run a pickled job of a trial and wait for it; jobs of several threads take turns.

        Raises:
            WorkerDiedError: the process died meanwhile.
        """
        with self._turn:
            if self._connection is None:
                self._start()
            connection, process = self._connection, self._process
            assert connection is not None
            try:
                connection.send_bytes(job)
                answer = connection.recv_bytes()
            except (EOFError, OSError) as error:
                process.join()
                self._forget()
                raise WorkerDiedError(f"the worker process died ({_reason(process.exitcode)})") from error
        outcome, failure = pickle.loads(answer)
        if failure is not None:
            return Outcome(trial.number, trial.labels, None, 0.0, error=failure[0], traceback=failure[1])
        return outcome

    def close(self) -> None:
        """Let the process end."""
        process = self._process
        if process is not None:
            self._forget()
            process.join(_PATIENCE)
            if process.exitcode is None:
                process.kill()
                process.join()

    def kill(self) -> None:
        """End the process in the middle of a trial; the thread that waits for it gets `WorkerDiedError`."""
        self._killed = True
        process = self._process
        if process is not None:
            process.kill()

    def _start(self) -> None:
        # spawn: JAX has threads, and forking them may deadlock
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), name=_NAME, daemon=True)
        process.start()
        theirs.close()  # else its end would never be seen
        self._connection, self._process = ours, process
        if self._killed:  # by another thread, before there was something to kill
            process.kill()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._process = None


def serve(connection: Connection) -> None:
    """What the process does: run jobs until nobody asks any more."""
    # Ctrl-C goes to all processes of a terminal; the sweeping one decides what becomes of us
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            payload = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(dumps(_answer(payload)))


def _answer(payload: bytes) -> tuple[Outcome | None, tuple[str, str] | None]:
    try:
        return pickle.loads(payload)(), None
    except Exception as error:  # any error of the trial goes to the other process as text
        return None, (f"{type(error).__name__}: {error}", traceback.format_exc())


def _reason(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return (
        f"exit status {code}; see its messages above. A script that runs trials in processes needs "
        "if __name__ == '__main__':"
    )
