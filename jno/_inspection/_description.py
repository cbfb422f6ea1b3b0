"""The description of a file as text, and texts from files that a terminal may show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

_LONGEST = 240
"""Characters that are shown of a text from a file."""
_MOST_ROWS = 60
"""Rows of one kind, such as tags; a hostile file may have millions."""


@dataclasses.dataclass(frozen=True)
class StoredArray:
    """Shape and type of an array in a file."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclasses.dataclass(frozen=True)
class Description:
    """What a file is.

    Attributes:
        title: what it is, in a few words.
        rows: facts by name, in order.
        fault: what is wrong with a file that can be described nevertheless; ``None``: nothing.
    """

    title: str
    rows: Mapping[str, str]
    fault: str | None = None


def printable(text: str, longest: int = _LONGEST) -> str:
    """A text without the control characters with which a file could steer a terminal, cut to so many of them.

    Example:
        >>> from jno._inspection._description import printable
        >>> printable(chr(27) + "[2J interior")
        '\\\\x1b[2J interior'
    """
    excerpt = text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in excerpt)


def byte_count(size: int) -> str:
    """A size in words."""
    return f"{size:,} bytes" if size != 1 else "1 byte"


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number and the noun that belongs to it."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def array_summary(arrays: Sequence[StoredArray]) -> str:
    """How many arrays and numbers there are, and the arrays where they are few."""
    total = f"{counted(sum(array.size for array in arrays), 'number')} in {counted(len(arrays), 'array')}"
    types = " ".join(map(str, arrays[:8]))
    return f"{total}: {types}{' …' if len(arrays) > 8 else ''}" if arrays else total


def limited(rows: Mapping[str, str], plural: str) -> dict[str, str]:
    """The first rows, and how many there are beyond them."""
    beginning = dict(list(rows.items())[:_MOST_ROWS])
    return beginning if len(rows) <= _MOST_ROWS else beginning | {"…": f"{len(rows) - _MOST_ROWS:,} more {plural}"}
