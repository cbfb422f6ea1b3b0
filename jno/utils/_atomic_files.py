"""Files that are written completely or not at all: whatever replaces a file does it here."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from jno.utils._types import Figure

if sys.platform != "win32":
    import fcntl

_LONGEST_NAME = 200
"""Bytes of a file name that leave room for the additions of a temporary one; most systems allow 255."""

_RANDOM_BYTES = 8


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file completely or not at all; missing folders are made.

    Raises:
        OSError: naming the file; what it held before is untouched.

    Example:
        >>> import os, pathlib, tempfile
        >>> from jno.utils import write_atomically
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "new" / "numbers"
        >>> write_atomically(file, b"1 2 3")
        >>> file.read_bytes(), os.listdir(file.parent)
        (b'1 2 3', ['numbers'])
    """
    with replaced_file(path) as temporary:
        temporary.write_bytes(content)


def append_whole(path: Path, content: bytes, *, to_disk: bool = False) -> None:
    """Append to a file that exists, all or nothing.

    Args:
        path: the file; it must not be written by somebody else at the same time.
        content: what is added.
        to_disk: wait until it is safe from a power cut (default: it is safe from a killed process only).

    Raises:
        OSError: naming the file, which is as before.
    """
    # not "a", which would make a file that lacks its beginning where it was removed meanwhile
    with _errors_of(path), path.open("r+b", buffering=0) as stream:
        size = stream.seek(0, os.SEEK_END)
        try:
            # in as few calls as the system needs: one, unless the disk is full or the content very long
            view = memoryview(content)
            while view:
                view = view[stream.write(view) :]
            if to_disk:
                os.fsync(stream.fileno())
        except BaseException:
            stream.truncate(size)
            raise


def save_figure(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure of matplotlib as `write_atomically` does, in the format of its suffix (``.png`` is added)."""
    target = path if path.suffix else path.with_name(f"{path.name.rstrip('.')}.png")
    with replaced_file(target) as temporary:
        figure.savefig(temporary, dpi=dpi)


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """The name of an empty file beside the file, which takes its place when the block ends without an error.

    The new file is on the disk before it gets its name, so a killed process or a power cut leaves the old content or
    the new one.  It has the permissions of the old one.  Links are followed, devices and pipes written directly.
    Temporary files of processes that were killed are removed.

    Args:
        path: the file; missing folders are made.

    Yields:
        A name with the same suffix, which nobody else knows.

    Raises:
        OSError: naming the file.

    Example:
        >>> import pathlib, tempfile
        >>> from jno.utils import replaced_file
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with replaced_file(file) as temporary:
        ...     _ = temporary.write_text("1 2 3")
        >>> file.read_text()
        '1 2 3'
    """
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not (target.is_file() or target.is_dir()):
        yield target
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with _errors_of(path):
        _remove_orphans(target)
        lock, temporary = _temporary(target)
    try:
        with _errors_of(path, temporary):
            yield temporary
            _synchronize(temporary, os.O_RDWR)
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)
    # the new name is safe when the folder is; not every system can synchronize a folder
    with contextlib.suppress(OSError):
        _synchronize(target.parent, os.O_RDONLY)


def _temporary(target: Path) -> tuple[int | None, Path]:
    """A new file beside the target, and the open descriptor that locks it, which tells it from those that killed
    processes left behind; None on Windows, which neither renames nor removes open files."""
    permissions = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    while True:
        token = secrets.token_hex(_RANDOM_BYTES)
        temporary = target.with_name(f"{_prefix(target)}{token}.tmp{target.suffix}")
        # exclusive: neither a file nor a link that somebody has put there is opened
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        descriptor = os.open(temporary, flags, 0o666 if permissions is None else permissions)
        if permissions is not None:
            with contextlib.suppress(OSError):
                os.chmod(temporary, permissions)  # what the process's mask has taken away
        if sys.platform == "win32":
            os.close(descriptor)
            return None, temporary
        # file systems without locks have no orphans that can be told apart, and none are removed there
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # another save may have taken it for an orphan before it was locked
            return descriptor, temporary
        os.close(descriptor)


def _remove_orphans(target: Path) -> None:
    pattern = re.compile(re.escape(_prefix(target)) + rf"[0-9a-f]{{{2 * _RANDOM_BYTES}}}\.tmp.*")
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                _remove_orphan(Path(entry.path))


def _remove_orphan(temporary: Path) -> None:
    if sys.platform == "win32":
        with contextlib.suppress(OSError):  # of one that is being written
            temporary.unlink()
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                temporary.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _prefix(target: Path) -> str:
    name = os.fsencode(target.name)
    return f".{target.name if len(name) <= _LONGEST_NAME else hashlib.sha256(name).hexdigest()}."


def _synchronize(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _errors_of(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Errors of the system about the temporary file name the file that the user knows."""
    try:
        yield
    except OSError as error:
        about_another = error.filename is not None and os.fspath(error.filename) != os.fspath(temporary or "")
        if error.errno is None or (temporary is not None and about_another):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
