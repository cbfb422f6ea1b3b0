"""Expressions by the labels that users gave them."""

from __future__ import annotations

from collections.abc import Sequence

from jno.trace import ModelCall, Node, walk

from ._graph import Graph, untracked


def named_expression(name: str, roots: Sequence[Node], graph: Graph) -> Node:
    """The expression with a label, among some expressions, trackers and all they are made of.

    Args:
        name: what ``.name(name)`` was given, or the name of a parameter.
        roots: where to look.
        graph: decides whether two nodes are the same expression.

    Raises:
        ValueError: no expression, or several different ones, with this label.
    """
    labelled: dict[str, dict[int, Node]] = {}
    for node in walk(roots):
        labels = {node.metadata.label}
        if isinstance(node, ModelCall) and not node.args:
            labels.add(node.model.model_key)
        expression = untracked(node)
        for label in labels:
            if label is not None:
                labelled.setdefault(label, {}).setdefault(id(graph.intern(expression)), expression)
    candidates = list(labelled.get(name, {}).values())
    if not candidates:
        names = ", ".join(map(repr, labelled)) or "none"
        raise ValueError(
            f"no expression is named {name!r}: there are {names}. Name parts of the constraints with .name(...) before "
            "the core is built"
        )
    if len(candidates) > 1:
        raise ValueError(f"{len(candidates)} different expressions are named {name!r}; give them different names")
    return candidates[0]
