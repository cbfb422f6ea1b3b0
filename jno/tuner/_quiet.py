"""Trials say what went wrong in their outcome, not on the console."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator

from jno.utils import quiet_console

_lock = threading.Lock()
_running: list[warnings.catch_warnings] = []


@contextlib.contextmanager
def quiet_trial() -> Iterator[None]:
    """No progress of training, and no warning that training stopped.

    The filters of warnings belong to the whole process, so the first of several trials at a time changes them and the
    last one puts them back.
    """
    with _lock:
        if not _running:
            _running.append(warnings.catch_warnings())
            _running[0].__enter__()
            warnings.filterwarnings("ignore", message="training stopped: ", category=RuntimeWarning)
        else:
            _running.append(_running[0])
    try:
        with quiet_console():
            yield
    finally:
        with _lock:
            last = _running.pop()
            if not _running:
                last.__exit__(None, None, None)
