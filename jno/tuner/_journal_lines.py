"""The lines of a journal: a first one that describes the sweep, then one for each finished trial."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jno.utils import get_limits, is_integer, parsed_json, shown_path

from ._trial import Outcome

HEAD = "jno_sweep"
"""The first entry of the first line; its value is the format."""
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class JournalHead:
    """The first line: what the sweep is, as JSON values, and how many trials are proposed before one is reported."""

    description: dict[str, Any]
    in_flight: int


@dataclasses.dataclass(frozen=True)
class JournalContent:
    """What a journal holds.

    Attributes:
        head: of the sweep.
        outcomes: of the finished trials, by number.
        torn: whether a crash cut off the last line, which does not count.
    """

    head: JournalHead
    outcomes: dict[int, Outcome]
    torn: bool


def read_journal(path: Path) -> JournalContent:
    """The content of a journal, which a sweep may be writing; nothing is changed.

    Raises:
        ValueError: it is damaged or no journal.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    lines = complete_lines(path, content)
    name = shown_path(path)
    if not lines:
        raise ValueError(f"{name} is no journal of a sweep: it has no complete line")
    outcomes = [parsed_outcome(name, number, line) for number, line in enumerate(lines[1:], 1)]
    torn = not content.endswith(b"\n")
    return JournalContent(parsed_head(name, lines[0]), {outcome.number: outcome for outcome in outcomes}, torn)


def complete_lines(path: Path, content: bytes) -> list[str]:
    """The lines of a content that end.

    Raises:
        ValueError: they are no text.
    """
    try:
        # JSON leaves other ends of lines, such as U+2028, as they are
        return content[: complete_length(content)].decode("utf-8").split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown_path(path)} is damaged, or no journal of a sweep: {error}") from error


def complete_length(content: bytes) -> int:
    """The number of bytes of the lines that end."""
    return content.rfind(b"\n") + 1


def is_torn_head(content: bytes) -> bool:
    """Whether a file without a complete line is the beginning of a journal, which a crash cut off, or empty."""
    begin = json_text({HEAD: FORMAT})[:-1].encode()
    return content.startswith(begin) or begin.startswith(content)


def parsed_head(name: str, line: str) -> JournalHead:
    """The first line of the journal ``name``.

    Raises:
        ValueError: it is none, or damaged.
    """
    head = _parsed(name, 0, line)
    if not isinstance(head, dict) or head.get(HEAD) != FORMAT:
        raise ValueError(f"{name} is no journal of a sweep: its first line is {shortened(json_text(head))}")
    recorded, in_flight = head.get("description"), head.get("in_flight")
    if not isinstance(recorded, dict) or not is_integer(in_flight, 1):
        raise ValueError(f"{name}, line 1 is damaged: it lacks the description of the sweep")
    return JournalHead(recorded, in_flight)


def parsed_outcome(name: str, number: int, line: str) -> Outcome:
    """The finished trial in line ``number``, counted from 0, of the journal ``name``.

    Raises:
        ValueError: there is none.
    """
    entry = _parsed(name, number, line)
    names = {field.name for field in dataclasses.fields(Outcome)}
    if not isinstance(entry, dict) or set(entry) != names or not _has_types(entry):
        raise ValueError(f"{name}, line {number + 1} is no finished trial: {shortened(line)}")
    # JSON has no numbers as keys
    return Outcome(**{**entry, "rungs": {int(rung): loss for rung, loss in entry["rungs"].items()}})


def _parsed(name: str, number: int, line: str) -> Any:
    limits, origin = get_limits(), f"{name}, line {number + 1}"
    limits.check("text_bytes", len(line), origin, f"is text of {len(line):,} characters")
    try:
        return parsed_json(line, origin, limits)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}, line {number + 1} is damaged: {shortened(line)} ({error})") from error


def _has_types(entry: Mapping[str, Any]) -> bool:
    """Whether the values of a finished trial are of the types of `Outcome`."""
    number = int | float | None
    texts = all(isinstance(entry[name], str | None) for name in ("error", "traceback"))
    numbers = all(isinstance(entry[name], number) for name in ("objective", "seconds", "pruned_at"))
    rungs = entry["rungs"]
    if not (texts and numbers and isinstance(entry["labels"], dict) and isinstance(rungs, dict)):
        return False
    fits = all(rung.isdecimal() and isinstance(loss, number) for rung, loss in rungs.items())
    return fits and is_integer(entry["number"], 0) and entry["seconds"] is not None


def json_text(value: object) -> str:
    """A value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def shortened(text: str) -> str:
    """The beginning of a text, for a message."""
    return text if len(text) <= 200 else text[:200] + "…"
