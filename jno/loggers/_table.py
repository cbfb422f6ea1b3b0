"""A CSV file that only ever grows by whole lines."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jno.utils import append_whole, write_atomically

_SHOWN = 200
"""Bytes of a foreign file that an error message shows."""


class Table:
    """A CSV file with a header; opened for each addition only, so a killed process leaves nothing in a buffer."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self.path = path
        self._header = list(header)

    def start(self, *, keep: bool) -> None:
        """Write the header, or with `keep` check that of an existing file and cut off a line torn by a crash.

        Raises:
            ValueError: the file has another header.
            OSError: the file cannot be read or written.
        """
        header = _encoded([self._header])
        start = self._first_bytes(max(len(header), _SHOWN)) if keep and self.path.exists() else b""
        if len(start) < len(header) and header.startswith(start):  # nothing, or a header torn by a crash
            write_atomically(self.path, header)
        elif start.startswith(header):
            self._cut_torn_line()
        else:
            present = start.decode("utf-8", "replace").partition("\n")[0]
            raise ValueError(
                f"{str(self.path)!r} begins with {present!r}; the columns to add are {', '.join(self._header)}. Give "
                "another path, or append=False to replace the file."
            )

    def _first_bytes(self, count: int) -> bytes:
        with self.path.open("rb") as stream:
            return stream.read(count)

    def _cut_torn_line(self) -> None:
        with self.path.open("r+b") as stream:
            stream.seek(-1, os.SEEK_END)
            if stream.read() != b"\n":
                stream.truncate(self.path.read_bytes().rfind(b"\n") + 1)

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows, all or none.

        Raises:
            OSError: they cannot be written.
        """
        append_whole(self.path, _encoded(rows))

    def cut_from(self, epoch: int) -> None:
        """Remove the last rows whose first column is an epoch from this one on: they come again.

        Raises:
            OSError: the file cannot be read or written.
        """
        rows = list(csv.reader(io.StringIO(self.path.read_text(encoding="utf-8"), newline="")))
        count = len(rows)
        while count > 1 and rows[count - 1][:1] and rows[count - 1][0].isdecimal() and int(rows[count - 1][0]) >= epoch:
            count -= 1
        if count < len(rows):
            write_atomically(self.path, _encoded(rows[:count]))


def _encoded(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
