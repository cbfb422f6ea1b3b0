"""What panels and curves are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jno.trace import (
    BinaryOp,
    Bound,
    FunctionCall,
    ModelCall,
    Node,
    Placeholder,
    Print,
    UnaryOp,
    free_variables,
    point_tag,
    visible_length,
    walk,
)

_LONGEST = 28
_MOST_FIELDS = 4
_VECTOR = re.compile(r"\\begin\{pmatrix\}(.*?)\\end\{pmatrix\}")
DIFFERENCE, ABSOLUTE_DIFFERENCE, FIELD = "difference", "absolute difference", "field"


def label_of(node: Placeholder, position: int) -> str:
    """The name of an expression, or its formula where that is short, as matplotlib writes them."""
    if node.metadata.label:
        return node.metadata.label.replace("$", r"\$")
    try:
        formula = node.latex(width=None)
    except ValueError:  # an endless one
        formula = ""
    formula = _VECTOR.sub(_in_a_row, formula)
    if formula and visible_length(formula) <= _LONGEST and _is_readable(f"${formula}$"):
        return f"${formula}$"
    return f"expression {position + 1}"


def _in_a_row(vector: re.Match[str]) -> str:
    """A vector without an environment, which matplotlib does not know."""
    return rf"\left( {', '.join(vector[1].split(chr(92) * 2))} \right)"


def _is_readable(text: str) -> bool:
    """Whether matplotlib's parser knows all of a formula."""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def role_of(node: Node, nodes: Sequence[Node]) -> str:
    """Whether an expression is the difference of two that are drawn with it, or the size of that."""
    inner = _plain(node)
    is_size = (isinstance(inner, UnaryOp) and inner.op == "abs") or (
        isinstance(inner, FunctionCall) and inner.title == "abs"
    )
    if is_size:
        inner = _plain(inner.children()[0])
    if not isinstance(inner, BinaryOp) or inner.op != "-":
        return FIELD
    drawn = {id(_plain(one)) for one in nodes}
    if drawn.isdisjoint(id(_plain(child)) for child in inner.children()):
        return FIELD
    return ABSOLUTE_DIFFERENCE if is_size else DIFFERENCE


def _plain(node: Node) -> Node:
    while isinstance(node, Bound | Print):
        node = node.target
    return node


def network_fields(expressions: Sequence[Node]) -> list[ModelCall]:
    """One call of every network at the points of one tag, those of the interior before others."""
    calls: dict[int, ModelCall] = {}
    for node in walk(expressions):
        if not isinstance(node, ModelCall) or not node.args:
            continue
        variables = free_variables(node)
        tags = {point_tag(variable) for variable in variables if variable.axis == "spatial"}
        if len(tags) == 1 and (node.model.layer_id not in calls or "interior" in tags):
            calls[node.model.layer_id] = node
    return list(calls.values())[:_MOST_FIELDS]
