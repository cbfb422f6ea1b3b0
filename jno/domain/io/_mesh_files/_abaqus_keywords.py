"""The keyword lines of an Abaqus input file, with the data lines that follow each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jno.utils import shown_path

from ...mesh import MeshFileError
from ._claims import check_claim


@dataclass
class AbaqusKeyword:
    """A keyword line, its options and its data.

    Attributes:
        name: the keyword in capitals, without its star.
        options: in capitals, with their values; an option without a value has an empty one.
        rows: the words of every data line.
        lines: the numbers of the data lines in the file.
        where: names the file and the line of the keyword in messages.
        origin: names the file in messages.
    """

    name: str
    options: dict[str, str]
    where: str
    origin: str
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def error(self, what: str, row: int | None = None) -> MeshFileError:
        """An error that names the keyword, or one of its data lines."""
        if row is None:
            return MeshFileError(f"{self.where}: *{self.name} {what}.")
        data = ", ".join(self.rows[row])
        return MeshFileError(f"{self.origin}: line {self.lines[row]} of *{self.name}, {data!r}, {what}.")

    def required(self, option: str) -> str:
        """The value of an option that must be there."""
        if not self.options.get(option):
            raise self.error(f"needs the option {option}=")
        return self.options[option]


class IncludedText:
    """Reads a file and those that it includes; a few that include each other many times would fill the memory.

    Args:
        path: the file that includes the others.
        origin: names it in messages.
    """

    def __init__(self, path: Path, origin: str) -> None:
        self._size, self._origin, self._total = path.stat().st_size, origin, 0

    def read(self, path: Path) -> str:
        """The text of one of the files.

        Raises:
            OSError: it cannot be read.
            MeshFileError: all that were read are far more than the first has bytes.
        """
        self._total += path.stat().st_size
        check_claim(self._total, self._size, f"{self._origin}, with what it includes,")
        return path.read_text(encoding="utf-8", errors="replace")


def keywords(path: Path, origin: str, depth: int = 0, source: IncludedText | None = None) -> Iterator[AbaqusKeyword]:
    """All keywords of a file and of those that it includes."""
    if depth > 20:
        raise MeshFileError(f"{origin} includes itself, or more than twenty files in each other.")
    try:
        source = source or IncludedText(path, origin)
        text = source.read(path)
    except OSError as error:
        raise MeshFileError(f"{origin} cannot be read ({error}).") from error
    current: AbaqusKeyword | None = None
    for keyword in _parsed(text, origin):
        if keyword.name == "INCLUDE":
            included = path.parent / keyword.required("INPUT")
            yield from keywords(included, f"{origin}: the included file {shown_path(included)!r}", depth + 1, source)
            continue
        if keyword.options.get("INPUT"):  # the data lines are in another file
            _append_rows(keyword, path.parent / keyword.options["INPUT"], source)
        current = keyword
        yield keyword
    if current is None and depth == 0:
        raise MeshFileError(f"{origin} is corrupt or not an .inp file: it has no keywords such as *NODE.")


def _append_rows(keyword: AbaqusKeyword, path: Path, source: IncludedText) -> None:
    try:
        text = source.read(path)
    except OSError as error:
        raise keyword.error(f"cannot read its INPUT file ({error})") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("*"):
            keyword.rows.append(_words(line))
            keyword.lines.append(number)


def _parsed(text: str, origin: str) -> Iterator[AbaqusKeyword]:
    """Keywords with their data; comments start with two stars, and a keyword line ending in a comma goes on."""
    current: AbaqusKeyword | None = None
    head, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("**"):
            continue
        if head or line.startswith("*"):
            start = start if head else number
            head += line
            if not head.endswith(","):
                if current is not None:
                    yield current
                current, head = _keyword(head, f"{origin}, line {start}", origin), ""
        elif current is not None:
            current.rows.append(_words(line))
            current.lines.append(number)
    if current is not None:
        yield current


def _keyword(line: str, where: str, origin: str) -> AbaqusKeyword:
    name, *options = (word.strip() for word in line[1:].split(","))
    values: dict[str, str] = {}
    for option in options:
        key, _, value = option.partition("=")
        values[" ".join(key.split()).upper()] = _unquoted(value)
    return AbaqusKeyword(" ".join(name.split()).upper(), values, where, origin)


def _words(line: str) -> list[str]:
    words = [_unquoted(word) for word in line.split(",")]
    while words and not words[-1]:
        words.pop()
    return words


def _unquoted(word: str) -> str:
    word = word.strip()
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word
