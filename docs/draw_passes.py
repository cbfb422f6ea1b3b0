"""Draw the pictures of *How it works* from what jNO makes of the page's first program: python docs/draw_passes.py

`docs/assets/graph.svg` is the graph of the residual with equal nodes drawn once, `docs/assets/passes.svg` what goes
through the layers of the network in the pass for it, beside the derivatives taken one by one.
"""

import contextlib
import html
import io
import re
from pathlib import Path

from jno.compiler import Graph
from jno.trace import title, walk

DOCS = Path(__file__).resolve().parent
PICTURES = {"graph": DOCS / "assets" / "graph.svg", "passes": DOCS / "assets" / "passes.svg"}
WIDTH, ROW, BOX, LANE = 860, 64, 32, 26  # widths and heights in pixels
ONE_BY_ONE = {"u": 1, "∂t u": 2, "∂x u": 2, "∂xx u": 4}
"""Coefficients of nested forward differentiation: each derivative doubles what goes through the layers."""
STYLE = (
    "<style>rect{fill:#e8eaf6;stroke:#3f51b5}rect.pass{fill:#3f51b5}text{font:13px monospace;fill:#1a237e;"
    "text-anchor:middle}text.left{text-anchor:end}line,path{stroke:#7986cb;fill:none;stroke-width:1.5}"
    "rect.sheet{fill:#fff;stroke:none}</style>"
)


def problem():
    """The names that the first program of the page leaves, and what it prints."""
    text = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    return names, printed.getvalue()


def svg(height, description, parts):
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-label="{description}">',
            STYLE,
            f'<rect class="sheet" width="{WIDTH}" height="{height}"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def graph(residual, names):
    """The graph of an expression, the expression above its arguments."""
    interned = Graph()
    root = interned.intern(residual)
    nodes = list(walk([root]))  # arguments first
    captions = {id(interned.intern(names[name])): name for name in ("x", "t")}
    depth = {id(root): 0}
    for node in reversed(nodes):
        for child in node.children():
            depth[id(child)] = max(depth.get(id(child), 0), depth[id(node)] + 1)
    rows = [[node for node in nodes if depth[id(node)] == level] for level in range(max(depth.values()) + 1)]
    places = {
        id(node): (WIDTH * (number + 1) / (len(row) + 1), 10 + level * ROW)
        for level, row in enumerate(rows)
        for number, node in enumerate(row)
    }
    lines, boxes = [], []
    for node in nodes:
        x, y = places[id(node)]
        for child in node.children():
            to_x, to_y = places[id(child)]
            lines.append(f'<line x1="{x:.1f}" y1="{y + BOX}" x2="{to_x:.1f}" y2="{to_y}"/>')
        caption = captions.get(id(node), title(node))
        width = 8 * len(caption) + 24
        boxes.append(f'<rect x="{x - width / 2:.1f}" y="{y}" width="{width}" height="{BOX}" rx="4"/>')
        boxes.append(f'<text x="{x:.1f}" y="{y + BOX / 2 + 4.5}">{html.escape(caption)}</text>')
    return svg(len(rows) * ROW, "The graph of the residual", lines + boxes)


def carried(printed):
    """The coefficients that the plan names, in the names of the page's variables."""
    coefficients = re.search(r"^ +carries: (.*)$", printed, re.MULTILINE)[1].split(", ")
    return ["u" if name == "1" else name.replace("∂y", "∂t") for name in coefficients]


def passes(printed):
    """Coefficients as lanes through the layers: the pass, and the derivatives one by one."""
    groups = [("one pass", carried(printed), "pass")]
    groups += [(name, [""] * count, "") for name, count in ONE_BY_ONE.items()]
    parts, top = [], 12
    for name, lanes, kind in groups:
        height = LANE * len(lanes)
        parts.append(f'<text class="left" x="110" y="{top + height / 2 + 4.5}">{name}</text>')
        for number, lane in enumerate(lanes):
            y = top + LANE * (number + 0.5)
            parts.append(f'<line x1="120" y1="{y}" x2="{640 if lane else 610}" y2="{y}"/>')
            for layer in range(4):
                parts.append(
                    f'<rect class="{kind}" x="{160 + 120 * layer}" y="{y - 8}" width="60" height="16" rx="3"/>'
                )
            parts.append(f'<text x="740" y="{y + 4.5}">{html.escape(lane)}</text>')
        top += height + 14
    return svg(top, "Coefficients through the layers of the network", parts)


def drawings():
    """The pictures as text, by name."""
    names, printed = problem()
    return {"graph": graph(names["residual"].mse, names), "passes": passes(printed)}


if __name__ == "__main__":
    for name, drawing in drawings().items():
        PICTURES[name].write_text(drawing, encoding="utf-8")
