"""Names in the source: what a thing is, not its role in the sentence; one class to a name."""

import ast
import collections
import io
import tokenize
from pathlib import Path

import pytest

import jno

SOURCE = Path(jno.__file__).parent
ROOMS = sorted({path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")})
MOST = 5
"""Fillers in a thousand lines."""
FILLERS = {
    *("own", "found", "given", "made", "told", "kept", "known", "chosen", "wanted", "moved", "rest", "whole", "shown"),
    *("asked", "everything", "everyone", "other", "others", "first", "second"),
}


def files(room):
    place = SOURCE / room
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_identifiers_say_what_a_thing_is(room):
    fillers, lines = collections.Counter(), 0
    for path in files(room):
        text = path.read_text(encoding="utf-8")
        lines += text.count("\n")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and token.string in FILLERS:
                fillers[f"{token.string} ({path.relative_to(SOURCE)}:{token.start[0]})"] += 1
    assert fillers.total() <= MOST * max(lines, 1000) / 1000, f"names for roles in {room}: {sorted(fillers)}"


def test_no_two_classes_have_one_name():
    places = collections.defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].add(str(path.relative_to(SOURCE)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
