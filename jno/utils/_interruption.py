"""Ctrl-C for threads: the system interrupts the main thread only."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar

from jno.utils._contexts import context_value

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


@contextlib.contextmanager
def interrupted_by(event: threading.Event) -> Iterator[None]:
    """Let training in this context end, as by Ctrl-C, once an event is set.

    Example:
        >>> import threading
        >>> from jno.utils import check_interruption, interrupted_by
        >>> event = threading.Event()
        >>> with interrupted_by(event):
        ...     check_interruption()
    """
    with context_value(_stop, event):
        yield


def check_interruption() -> None:
    """Raise what Ctrl-C raises, if the event of this context is set.

    Raises:
        KeyboardInterrupt: it is.

    Example:
        >>> from jno.utils import check_interruption
        >>> check_interruption()
    """
    event = _stop.get()
    if event is not None and event.is_set():
        raise KeyboardInterrupt
