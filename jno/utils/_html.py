"""Parts of HTML that need no network and are readable on light and dark backgrounds."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Protocol, runtime_checkable

from jno.utils._types import Figure

_TABLE = "border-collapse: collapse; margin: 0.4em 0; font-size: 0.9em"
_HEAD = "text-align: left; padding: 0.15em 0.9em 0.15em 0; border-bottom: 1px solid currentColor"
_CELL = "text-align: left; padding: 0.15em 0.9em 0.15em 0; vertical-align: top"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }}
h1 {{ font-size: 1.5em; }} h2 {{ font-size: 1.15em; margin: 1.6em 0 0.3em; }}
math {{ font-size: 1.1em; }}
pre {{ overflow-x: auto; font-size: 0.85em; }}
svg {{ max-width: 100%; height: auto; background: white; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


@runtime_checkable
class Reported(Protocol):
    """A problem that a report tells of."""

    def report_sections(self) -> list[Markup]:
        """Equations, models, points, fields: parts of a page."""


def html_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table; its cells are escaped unless they are HTML."""
    head = "".join(f'<th style="{_HEAD}">{escape(text)}</th>' for text in heads)
    lines = ["".join(f'<td style="{_CELL}">{_markup(cell)}</td>' for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    head_row = f"<thead><tr>{head}</tr></thead>" if heads else ""
    return Markup(f'<table style="{_TABLE}">{head_row}<tbody>{body}</tbody></table>')


def _markup(cell: object) -> str:
    return cell if isinstance(cell, Markup) else escape(str(cell))


def html_section(title: str, body: Markup) -> Markup:
    """A titled part."""
    return Markup(f"<section><h2>{escape(title)}</h2>{body}</section>")


def html_lines(text: str) -> Markup:
    """Text with its line breaks."""
    return Markup(f"<pre>{escape(text)}</pre>")


def html_page(title: str, sections: Iterable[Markup]) -> str:
    """A page of its own."""
    return _PAGE.format(title=escape(title), body="\n".join(sections))


def svg_of(figure: Figure) -> Markup:
    """A figure of matplotlib as an SVG element."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg")
    text = stream.getvalue()
    return Markup(re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL))


def image_of(figure: Figure, description: str, dpi: int = 80) -> Markup:
    """A figure of matplotlib as an image that is part of the text."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    data = base64.b64encode(stream.getvalue()).decode()
    return Markup(f'<img alt="{escape(description)}" src="data:image/png;base64,{data}">')
