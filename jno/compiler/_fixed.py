"""Which parts of expressions are fixed: functions of the domain's arrays, the same in every step of training.

Weights, random numbers, weights of losses, the time window and effects make a part vary (`Node.follows_from_data`).
Points that are replaced between steps do not: what follows from them is computed anew when that happens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from jno.trace import Derivative, Node, TensorTag, Variable, walk

from ._facts import rebound_tags
from ._graph import Graph, bound_in_context
from ._requests import is_planned


def largest_fixed(roots: Sequence[Node], graph: Graph, bound: Collection[str]) -> list[Node]:
    """The largest fixed parts that are evaluated at the points the domain has, in order of first appearance.

    Args:
        roots: canonical nodes.
        graph: that of the nodes.
        bound: tags whose arrays stay the same between two evaluations, or are replaced with all that follows from them.

    Returns:
        the parts that depend on arrays and are more than a leaf.  Those below a planned derivative are among them: a
        pass reads their derivatives.  Those that only integrals or forced schemes evaluate, elsewhere or on tracers of
        their own, are not.
    """
    fixed = _fixed_ids(roots, bound)
    largest: dict[int, Node] = {}
    visited: set[tuple[int, frozenset[str]]] = set()
    stack = [(root, frozenset[str]()) for root in reversed(roots)]
    while stack:
        node, rebound = stack.pop()
        if (id(node), rebound) in visited or not node.children():
            continue
        visited.add((id(node), rebound))
        if id(node) in fixed and not rebound & graph.tags(node):
            largest.setdefault(id(node), node)
            continue
        moves = isinstance(node, Derivative) and is_planned(node)
        below = rebound if moves else rebound | rebound_tags(node, graph)
        stack.extend((child, below) for child in reversed(node.children()))
    return list(largest.values())


def _fixed_ids(roots: Sequence[Node], bound: Collection[str]) -> set[int]:
    """Ids of the nodes that follow from arrays of the domain; numbers, which XLA folds, are not among them."""
    moving = {id(leaf) for leaf in bound_in_context(roots) if leaf.tag not in bound}
    unchanging: set[int] = set()
    of_arrays: set[int] = set()
    for node in walk(roots):
        below = [id(child) for child in node.children()]
        if node.follows_from_data() and id(node) not in moving and unchanging.issuperset(below):
            unchanging.add(id(node))
            if isinstance(node, Variable | TensorTag) or not of_arrays.isdisjoint(below):
                of_arrays.add(id(node))
    return of_arrays
