"""One training at a time for everything that training changes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_guard = threading.Lock()
_threads: dict[int, threading.Thread] = {}
"""The thread that trains an object, by the object's id."""


@contextlib.contextmanager
def reserved(trained: object, name: str) -> Iterator[None]:
    """Let nobody else train an object: of two trainings that start from the same weights one would be lost.

    Args:
        trained: what is trained.
        name: what messages call it.

    Raises:
        RuntimeError: it is being trained; the message says in which thread.
    """
    with _guard:
        thread = _threads.get(id(trained))
        if thread is None:
            _threads[id(trained)] = threading.current_thread()
    if thread is not None:
        here = thread is threading.current_thread()
        where = "by the solve() that has called this" if here else f"in the thread {thread.name!r}"
        raise RuntimeError(
            f"solve(): {name} is being trained {where}, and one of the two results would be lost. Wait until that "
            "solve() returns, or train another core with networks of its own"
        )
    try:
        yield
    finally:
        with _guard:
            del _threads[id(trained)]
