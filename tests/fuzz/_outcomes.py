"""What became of a call."""

from __future__ import annotations

import ast
import functools
import linecache
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import jno

_LIBRARY = Path(jno.__file__).parent
UNKNOWN_KEYWORD = "nonsense_keyword"

NAMED = "clear error that names the argument"
UNNAMED = "clear error that does not name it"
RAW = "raw error from inside"
HANG = "hang"
ACCEPTED = "nonsense accepted"
ALLOWED = "unusual value accepted"
OUTCOMES = (NAMED, UNNAMED, RAW, HANG, ACCEPTED, ALLOWED)


@dataclass(frozen=True)
class Case:
    """One call: which function, which parameter, which value."""

    recipe: str
    parameter: str
    value: str

    def __str__(self) -> str:
        return f"{self.recipe}({self.parameter}={self.value})"


@dataclass(frozen=True)
class Result:
    """The outcome of a call, and where it was decided."""

    case: Case
    outcome: str
    place: str = ""
    text: str = ""


def classified(error: BaseException, names: tuple[str, ...]) -> tuple[str, str, str]:
    """Outcome, place and text of an error; ``names`` are what the argument may be called."""
    filename, line = _raised_at(error.__traceback__)
    text = f"{type(error).__name__}: {error}"
    place = f"{_short(filename)}:{line}"
    if f"unexpected keyword argument '{UNKNOWN_KEYWORD}'" in text:  # the interpreter refused the call itself
        return NAMED, place, text
    if _LIBRARY not in Path(filename).parents or line not in _raising_lines(filename):
        return RAW, place, text
    return (NAMED if _mentions(text, names) else UNNAMED), place, text


def _raised_at(traceback: TracebackType | None) -> tuple[str, int]:
    assert traceback is not None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_filename, traceback.tb_lineno


def _short(filename: str) -> str:
    path = Path(filename)
    if _LIBRARY in path.parents:
        return str(path.relative_to(_LIBRARY.parent))
    return filename.rpartition("/site-packages/")[2]


@functools.cache
def _raising_lines(filename: str) -> frozenset[int]:
    """The lines of the ``raise`` statements of a file."""
    tree = ast.parse("".join(linecache.getlines(filename)))
    spans = [(node.lineno, node.end_lineno) for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return frozenset(line for first, last in spans for line in range(first, (last or first) + 1))


def _mentions(text: str, names: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", text) for name in names)
