"""The layout of a file of `jno.save`, and what can be read of it without unpickling.

Eight bytes magic, 4 bytes header length (big endian), header (JSON), payload (a pickle, or plain data where the header
has `"payload": "data"`). Everything that can be wrong with a file is found from magic, header and digest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jno.utils._config import get_limits
from jno.utils._data_format import decoded_data
from jno.utils._paths import shown_path
from jno.utils._structured_text import parsed_json

# As in PNG: a non-ASCII byte, then line ends, so that a transfer in text mode breaks the magic itself.
MAGIC = b"\x93JNO\r\n\x1a\n"
FORMAT_VERSION = 1
_LENGTH = struct.Struct(">I")
_HEADER_TYPES = {"format": int, "kind": str, "versions": dict, "sha256": str, "length": int}
_DATA = "data"
"""What the header calls a payload that is no pickle."""


def file_content(header: Mapping[str, Any], payload: bytes, *, is_data: bool) -> bytes:
    """All bytes of a file.

    Args:
        header: `kind` and `versions`; format, length and digest are added.
        payload: what the file holds.
        is_data: whether that is plain data.
    """
    complete = {
        "format": FORMAT_VERSION,
        **header,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "length": len(payload),
        **({"payload": _DATA} if is_data else {}),
    }
    encoded = json.dumps(complete).encode()
    return b"".join((MAGIC, _LENGTH.pack(len(encoded)), encoded, payload))


@dataclasses.dataclass(frozen=True)
class SavedContent:
    """A file of `save` whose digest fits, with its payload unread.

    Attributes:
        path: the file.
        header: what it says of itself.
        payload: a pickle, or plain data.
        content: all bytes, which a signature covers.
    """

    path: Path
    header: Mapping[str, Any]
    payload: bytes = dataclasses.field(repr=False)
    content: bytes = dataclasses.field(repr=False)

    @property
    def is_data(self) -> bool:
        """Whether the payload is plain data, which runs no code."""
        return self.header.get("payload") == _DATA

    @property
    def kind(self) -> str:
        """The class of the object."""
        return str(self.header["kind"])

    @property
    def format(self) -> int:
        """The version of the file format."""
        return int(self.header["format"])

    @property
    def versions(self) -> dict[str, str]:
        """The packages that it was written with."""
        return {str(name): str(version) for name, version in self.header["versions"].items()}

    def data(self) -> Any:
        """The plain data.

        Raises:
            ValueError: the payload is a pickle or damaged.
        """
        if not self.is_data:
            raise ValueError(f"{shown_path(self.path)!r} holds a pickle, which is not read here")
        return decoded_data(self.payload, repr(shown_path(self.path)), get_limits())


def read_saved(path: Path) -> SavedContent:
    """The header of a file of `save`, checked against its bytes; a pickle in it is not read.

    Raises:
        ValueError: not a jNO file, damaged, of a newer format, or above a limit (`jno.utils.get_limits`).
    """
    return parsed_content(path, path.read_bytes())


def is_jno_file(path: Path) -> bool:
    """Whether a file begins as those that `save` wrote."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def parsed_content(path: Path, content: bytes) -> SavedContent:
    """Header and payload of a file's content after every check that needs no unpickling.

    Raises:
        ValueError: it is none, damaged, of a newer format, or above a limit.
    """
    if not content.startswith(MAGIC):
        raise ValueError(f"{shown_path(path)!r} is not a jNO file; jno.load reads files that jno.save wrote.")
    start = len(MAGIC) + _LENGTH.size
    if len(content) < start:
        raise _damaged(path, "it ends before its header")
    length = _LENGTH.unpack(content[len(MAGIC) : start])[0]
    end = start + length
    if end <= len(content):
        get_limits().check("header_bytes", length, repr(shown_path(path)), f"claims a header of {length:,} bytes")
    header = _parse_header(path, content[start:end], complete=end <= len(content))
    payload = content[end:]
    if len(payload) != header["length"]:
        raise _damaged(path, f"its payload has {len(payload)} bytes instead of {header['length']}")
    if hashlib.sha256(payload).hexdigest() != header["sha256"]:
        raise _damaged(path, "its payload does not match its SHA-256 digest")
    return SavedContent(path, header, payload, content)


def _parse_header(path: Path, encoded: bytes, *, complete: bool) -> dict[str, Any]:
    if not complete:
        raise _damaged(path, "it ends within its header")
    try:
        header = parsed_json(encoded, "the header", get_limits())
    except ValueError as error:
        raise _damaged(path, "its header is unreadable") from error
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise _damaged(path, "its header is incomplete")
    # before the other keys: a newer format may have other ones
    if header["format"] > FORMAT_VERSION:
        raise ValueError(
            f"{shown_path(path)!r} has file format {header['format']}, this jNO reads up to {FORMAT_VERSION}; "
            "install the newer jNO that wrote it."
        )
    if not all(isinstance(header.get(key), kind) for key, kind in _HEADER_TYPES.items()):
        raise _damaged(path, "its header is incomplete")
    return header


def _damaged(path: Path, how: str) -> ValueError:
    name = shown_path(path)
    return ValueError(f"{name!r} is truncated or damaged: {how}. Copy it again or save the object again.")
