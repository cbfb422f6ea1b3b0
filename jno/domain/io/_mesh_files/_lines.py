"""The lines of a section of a text file, read one after the other; errors name the line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, compress
from typing import Any

import numpy as np

from ...mesh import MeshFileError


class Lines:
    """The lines of a section that are not blank, with their numbers in the file.

    Args:
        name: of the section, as `"$Nodes"`.
        start: number of the first line in the file, from one.
        text: the lines.
        origin: names the file in messages.
    """

    def __init__(self, name: str, start: int, text: list[str], origin: str) -> None:
        self.name, self._origin, self._row = name, origin, 0
        filled = list(map(str.strip, text))
        self._numbers = list(compress(range(start, start + len(text)), filled))
        self._lines = list(compress(filled, filled))
        self._end = start + len(text)

    def __len__(self) -> int:
        return len(self._lines)

    def error(self, what: str, row: int | None = None) -> MeshFileError:
        """An error that names a line, the next one by default."""
        at = self._row if row is None else row
        number = self._numbers[at] if at < len(self._numbers) else self._end
        return MeshFileError(f"{self._origin} is corrupt: line {number}, in {self.name}, {what}.")

    @property
    def row(self) -> int:
        """The position of the next line among those that are not blank."""
        return self._row

    def remaining(self) -> Iterator[tuple[str, int]]:
        """The other lines with their numbers in the file."""
        while self._row < len(self._lines):
            self._row += 1
            yield self._lines[self._row - 1], self._numbers[self._row - 1]

    def words(self) -> list[str]:
        """The words of the next line."""
        if self._row >= len(self._lines):
            raise self.error("ends the section, which announces more than it holds")
        self._row += 1
        return self._lines[self._row - 1].split()

    def integers(self, least: int) -> list[int]:
        """The next line as integers, at least `least` of them."""
        words = self.words()
        try:
            numbers = [int(word) for word in words]
        except ValueError:
            raise self.error(f"holds {' '.join(words)!r}, where integers belong", self._row - 1) from None
        if len(numbers) < least:
            raise self.error(f"holds {len(numbers)} numbers where {least} belong", self._row - 1)
        return numbers

    def table(self, count: int, columns: int, dtype: Any) -> np.ndarray:
        """The first columns of the next lines `(count, columns)`; what else they hold is skipped."""
        start = self._row
        rows = list(map(str.split, self._take(count)))
        if set(map(len, rows)) - {columns}:
            rows = [words[:columns] for words in rows]
        try:
            return np.array(rows, dtype=dtype).reshape(count, columns)
        except ValueError:
            bad = next((row for row, words in enumerate(rows) if not _fits(words, columns, dtype)), 0)
            what = "integers" if np.issubdtype(dtype, np.integer) else "numbers"
            raise self.error(f"holds {' '.join(rows[bad])!r} where {columns} {what} belong", start + bad) from None

    def ragged(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """All integers of the next lines in one array, and how many there are in each line."""
        start = self._row
        rows = list(map(str.split, self._take(count)))
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=count)
        try:
            return np.array(list(chain.from_iterable(rows)), dtype=np.int64), lengths
        except ValueError:
            bad = next(row for row, words in enumerate(rows) if not _fits(words, len(words), np.int64))
            raise self.error(f"holds {' '.join(rows[bad])!r}, where integers belong", start + bad) from None

    def _take(self, count: int) -> list[str]:
        if count < 0:
            raise self.error(f"announces {count} lines", self._row - 1)
        if count > len(self._lines) - self._row:
            raise MeshFileError(
                f"{self._origin} is corrupt: {self.name} announces {count} lines after line "
                f"{self._numbers[self._row - 1] if self._row else self._end} and holds {len(self._lines) - self._row}."
            )
        self._row += count
        return self._lines[self._row - count : self._row]

    def finish(self, what: str, announced: int, count: int) -> None:
        """Refuse a section that holds more or less than it announces."""
        if self._row < len(self._lines):
            raise self.error(f"is one more than the {announced} {what} that the section announces")
        if announced != count:
            raise self.error(f"{self.name} announces {announced} {what} and holds {count}", 0)


def _fits(words: list[str], columns: int, dtype: Any) -> bool:
    try:
        return len(np.array(words, dtype=dtype)) == columns
    except ValueError:
        return False
