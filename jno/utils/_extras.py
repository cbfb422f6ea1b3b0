"""Packages that come with an extra of jNO."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def from_extra(extra: str, need: str) -> Iterator[None]:
    """Import optional packages in this context; where they are missing, the error says how to install them.

    Args:
        extra: of jNO, which brings them.
        need: what needs which package, the beginning of the message.

    Raises:
        ImportError: one of them is not installed.

    Example:
        >>> from jno.utils import from_extra
        >>> with from_extra("viz", "Pictures need nothing_that_exists"):
        ...     import nothing_that_exists
        Traceback (most recent call last):
        ImportError: Pictures need nothing_that_exists: pip install 'jno-jax[viz]'.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{need}: pip install 'jno-jax[{extra}]'.") from error
