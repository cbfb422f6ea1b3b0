"""Arrays from `.npy` and `.npz` files: what a header claims is compared with the file before memory is asked for."""

from __future__ import annotations

import dataclasses
import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from jno.utils._config import get_limits

_FORMAT_ERRORS = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    # NumPy reads a header as a Python literal
    SyntaxError,
    TypeError,
    MemoryError,
    tokenize.TokenError,
)
"""Of NumPy and `zipfile` on bytes that are not what they expect; `BadZipFile` is none of them."""


def read_npy(path: Path, origin: str) -> np.ndarray:
    """The array of a `.npy` file; no pickle is ever read.

    Args:
        path: of the file.
        origin: names it in messages.

    Raises:
        ValueError: it is no such file, holds Python objects, or its header claims more than the file holds.
        FileNotFoundError: there is no such file.

    Example:
        >>> import tempfile, os
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from jno.utils import read_npy
        >>> file = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(file, np.arange(3))
        >>> read_npy(file, "The file").tolist()
        [0, 1, 2]
    """
    with path.open("rb") as stream:
        return checked_array(stream, path.stat().st_size, origin)


def read_npz(path: Path, origin: str) -> dict[str, np.ndarray]:
    """The arrays of a `.npz` file by name; no pickle is ever read.

    Args:
        path: of the file.
        origin: names it in messages.

    Raises:
        ValueError: it is no such file, holds Python objects, is damaged, or its arrays need far more memory than it has
            bytes (`Limits.unpacked_bytes`).
        FileNotFoundError: there is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            claim = sum(member.file_size for member in members)
            get_limits().check_unpacked(claim, path.stat().st_size, origin)
            return {member.filename.removesuffix(".npy"): _member(archive, member, origin) for member in members}
    except (zipfile.BadZipFile, *_FORMAT_ERRORS) as error:
        if isinstance(error, FileNotFoundError | ValueError) and not isinstance(error, UnicodeError):
            raise
        raise ValueError(f"{origin} is damaged, truncated or no .npz archive ({error}).") from error


@dataclasses.dataclass(frozen=True)
class ArrayHeaders:
    """Shapes and types of arrays that stand one after the other in a file, and where the last of them ends."""

    arrays: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]
    end: int


def array_headers(path: Path, origin: str) -> ArrayHeaders:
    """The headers of a file of several arrays, one after the other, compared with its size; no array is read.

    They end where something stands that is no array, which is for the reader to judge.

    Raises:
        ValueError: one claims more bytes than follow it.
    """
    size, end = path.stat().st_size, 0
    arrays: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
    with path.open("rb") as stream:
        while end < size:
            stream.seek(end)
            try:
                shape, dtype = _header(stream)
            except _FORMAT_ERRORS:
                break
            end = stream.tell() + _claim(shape, dtype, size - stream.tell(), origin)
            arrays.append((shape, dtype))
    return ArrayHeaders(arrays, end)


def checked_array(stream: IO[bytes] | io.BufferedIOBase, size: int, origin: str) -> np.ndarray:
    """The array that begins here in a stream of `size` bytes, which may be followed by others.

    Raises:
        ValueError: the header is damaged, or claims more bytes than there are.
    """
    start = stream.tell()
    try:
        shape, dtype = _header(stream)
    except _FORMAT_ERRORS as error:
        raise ValueError(f"{origin} is damaged, or no array in NumPy's format ({error}).") from error
    if dtype.hasobject:
        raise ValueError(
            f"{origin} holds Python objects, which are pickles: reading them would run code. Save numbers."
        )
    _claim(shape, dtype, size - stream.tell(), origin)
    stream.seek(start)
    try:
        return np.lib.format.read_array(stream, allow_pickle=False)
    except _FORMAT_ERRORS as error:
        raise ValueError(f"{origin} is damaged or truncated ({error}).") from error


def _header(stream: IO[bytes] | io.BufferedIOBase) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array that begins here."""
    version = np.lib.format.read_magic(stream)
    # versions 2 and 3 differ in how names of fields are encoded
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if any(length < 0 for length in shape):
        raise ValueError(f"the shape {shape} is negative")
    return shape, dtype


def _claim(shape: tuple[int, ...], dtype: np.dtype[Any], available: int, origin: str) -> int:
    """The bytes of an array, no more than are available."""
    claim = math.prod(shape) * dtype.itemsize
    if claim > available:
        raise ValueError(
            f"{origin} is damaged or truncated: its header claims an array of shape {shape}, {claim:,} bytes, and "
            f"{available:,} bytes follow it."
        )
    return claim


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, origin: str) -> np.ndarray:
    with archive.open(member) as stream:
        return checked_array(stream, member.file_size, f"{origin}, array {member.filename!r},")
