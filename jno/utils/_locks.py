"""Locks of files and folders that several processes may write: one writer at a time, who says who it is."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from jno.utils._paths import shown_path

_PATIENCE = 60.0
"""Seconds that one save waits for another of the same file."""


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let no other thread or process that calls this for the file run at the same time.

    Raises:
        RuntimeError: another one did for more than a minute, naming it.
    """
    lock = WriterLock(path.with_name(f".{path.name}.lock"))
    if not lock.acquire(_PATIENCE):
        name = shown_path(path)
        raise RuntimeError(f"{name} is written {lock.owner} for more than {_PATIENCE:.0f} s; save to another file")
    try:
        yield
    finally:
        lock.release()


class WriterLock:
    """The right to write something, which one process has at a time and loses when it ends, however it ends.

    Args:
        file: the file that stands for the right; it is made, with its folder, and stays.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock: BaseFileLock | None = None  # while we have it

    def acquire(self, patience: float = 0.0) -> bool:
        """Take the right, and say who has it; whether nobody else has it.

        Where the system refuses to make locks (a full disk, a folder that cannot be written) nothing is locked: what
        the lock is for will say that it cannot be written.
        """
        if self._lock is not None:
            return True
        # another thread may release it
        lock = FileLock(self._file, thread_local=False)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=patience)
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return True
        self._lock = lock
        facts = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
        with contextlib.suppress(OSError):
            self._file.write_text(json.dumps(facts), encoding="utf-8")
        return True

    def release(self) -> None:
        """Give the right back, if it is ours."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    @property
    def owner(self) -> str:
        """Who has the right: ``"by process 42 on example.org since 2030-01-31 12:00:00 (5 s ago)"``."""
        try:
            facts: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            since, who = float(facts["since"]), f"by process {int(facts['pid'])} on {facts['host']}"
        except (OSError, ValueError, TypeError, KeyError):  # it has not said yet, or the system lets nobody else read
            return "by another process"
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
        return f"{who} since {moment} ({max(time.time() - since, 0.0):.0f} s ago)"
