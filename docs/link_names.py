"""MkDocs hook: `jno.np.sin`, `core.solve(until=...)` in a text link to the reference."""

import functools
import re
import runpy
from pathlib import Path

_NAMES = runpy.run_path(str(Path(__file__).with_name("public_names.py")))
_UNLINKED = ("a", "pre", "h1", "h2", "h3", "h4", "h5", "h6")
"""Elements in which a name stays as it is."""


@functools.cache
def _anchors():
    """The anchor of every public name, and of every documented class under its short name: `core`, `Model`."""
    documented = _NAMES["documented"]()
    anchors = {name: path for path in documented for name in (path, *_NAMES["names_of_documented"]()[path])}
    classes = {path.rpartition(".")[2]: path for path in documented if isinstance(_NAMES["member"](path), type)}
    return {**classes, "crux": "jno.core.core", **anchors}


def _anchor(text):
    """The anchor for the text between two backticks: a name or a member of one, perhaps with what it is called with."""
    name = re.fullmatch(r"((?:\w+\.)+\w+)(?:\(.*\))?", text, flags=re.DOTALL)
    if name is None:
        return None
    owner, _, member = name[1].rpartition(".")
    anchors = _anchors()
    if name[1] in anchors:
        return anchors[name[1]]
    if owner in anchors and hasattr(_NAMES["member"](anchors[owner]), member):
        return f"{anchors[owner]}.{member}"
    return None


def on_page_content(html, **_):
    """Called by MkDocs with the HTML of a page; mkdocs-autorefs finds the pages of the anchors."""
    parts = re.split(r"(<[^>]*>)", html)
    unlinked = 0
    for position, part in enumerate(parts):
        element = re.match(r"<(/?)(\w+)", part)
        if element and element[2] in _UNLINKED:
            unlinked += -1 if element[1] else 1
        elif part == "<code>" and not unlinked and parts[position + 2] == "</code>":
            anchor = _anchor(parts[position + 1])
            if anchor:
                parts[position] = f'<autoref optional identifier="{anchor}"><code>'
                parts[position + 2] = "</code></autoref>"
    return "".join(parts)
