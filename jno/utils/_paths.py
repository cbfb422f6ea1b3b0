"""Files and folders as users name them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jno.utils._kinds import ANY_PATH

from ._atomic_files import replaced_file

_PATH_VARIABLES = ("JNO_RSA_PUBLIC_KEY", "JNO_RSA_PRIVATE_KEY", "JNO_RSA_PATH")
_KEY_CONTENT = "-----BEGIN"
"""Of a PEM file: somebody passed the key where its path belongs."""


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path that a user wrote, with ``~`` for the home directory.

    Every path that users may pass comes through here.

    Raises:
        TypeError: it is no path.

    Example:
        >>> from pathlib import Path
        >>> from jno.utils import user_path
        >>> user_path("~/runs") == Path.home() / "runs"
        True
    """
    ANY_PATH.require(path, "path")
    return Path(path).expanduser()


def shown_path(path: str | os.PathLike[str]) -> str:
    """A path as messages and logs show it: without the home directory, the value of a variable, or a key.

    Example:
        >>> from pathlib import Path
        >>> from jno.utils import shown_path
        >>> shown_path(Path.home() / "runs" / "a.jno")
        '~/runs/a.jno'
    """
    text = os.fspath(path)
    if _KEY_CONTENT in text:
        return "<the content of a key>"
    named = {os.path.expanduser("~"): "~"}
    for name in _PATH_VARIABLES:
        if value := os.environ.get(name, "").rstrip(os.sep):
            named |= {value: f"${name}", os.path.expanduser(value): f"${name}"}
    # the longest first: one folder may be inside another
    for folder in sorted(named, key=len, reverse=True):
        if text == folder or text.startswith(folder + os.sep):
            return named[folder] + text[len(folder) :]
    return text


@contextlib.contextmanager
def text_output(file: object = None) -> Iterator[Any]:
    """A stream to print to.

    Args:
        file: a path, whose file is replaced and whose folders are made; a stream; default: standard output.

    Raises:
        TypeError: neither.

    Example:
        >>> from jno.utils import text_output
        >>> with text_output() as stream:
        ...     print("to the console", file=stream)
        to the console
    """
    if file is None:
        yield sys.stdout
    elif isinstance(file, str | os.PathLike) and file != "":
        with replaced_file(user_path(file)) as temporary, temporary.open("w", encoding="utf-8") as stream:
            yield stream
    elif callable(getattr(file, "write", None)):
        yield file
    else:
        raise TypeError(f"file={file!r}: expected a path or a text stream, got {type(file).__name__}")
