"""Constraints without their outer reductions: what remains at every point of a tag."""

from __future__ import annotations

from collections.abc import Sequence

from jno.compiler import Graph
from jno.trace import BinaryOp, FunctionCall, Node, Placeholder, Print, UnaryOp, Variable, reduced, walk


def residuals_on(tag: str, constraints: Sequence[Node], graph: Graph) -> list[Node]:
    """The distinct residuals of the constraints that live on the points of one tag and on no other points."""
    residuals: dict[int, Node] = {}
    for constraint in constraints:
        root = graph.intern(constraint)
        parts = stripped(root, graph)
        for part in [root] if parts is None else parts:
            residual = graph.intern(part)
            if point_tags(residual, graph) in ({tag}, {f"n_{tag}"}, {tag, f"n_{tag}"}):
                residuals.setdefault(id(residual), residual)
    return list(residuals.values())


def point_tags(node: Node, graph: Graph) -> set[str]:
    """Tags of the points and normals that the value of a node depends on; regions of integrals are bound."""
    spatial = {leaf.tag for leaf in walk([node]) if isinstance(leaf, Variable) and leaf.at_points}
    return spatial & graph.tags(node)


def stripped(node: Node, graph: Graph) -> tuple[Placeholder, ...] | None:
    """The residuals behind the reductions of a sum of weighted losses; `None` for what has no reduction outside.

    A number without points, such as a weight, has none: `()`.
    """
    if not point_tags(node, graph):
        return ()
    residual = reduced(node)
    if residual is not None:
        return (residual,)
    if isinstance(node, FunctionCall):
        return _of_call(node, graph)
    if isinstance(node, UnaryOp | Print):
        return stripped(node.target, graph)
    if isinstance(node, BinaryOp) and node.op in ("+", "-", "*", "/", "**"):
        left, right = stripped(node.left, graph), stripped(node.right, graph)
        if left is None or right is None:
            return None
        return left if node.op in ("/", "**") else left + right
    return None


def _of_call(node: FunctionCall, graph: Graph) -> tuple[Placeholder, ...] | None:
    if len(node.args) != 1 or node.reduces_axis not in (None, 0):
        return None
    return node.args if node.reduces_axis == 0 else stripped(node.args[0], graph)
