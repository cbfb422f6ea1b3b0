"""What holds for the expressions of a program: which parts are point-wise, and which of them are folded."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

import jax

from jno.trace import Derivative, EvaluatedAt, Integral, ModelCall, Node, Pointwise, Variable, point_tag, walk

from ._graph import Graph

PointTags = Mapping[int, str | None]
"""Id of a node → tag of the points it runs over point-wise; ``""``: no points, ``None``: not point-wise."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What holds for some expressions.

    Attributes:
        independent: ids of the model calls whose points do not influence each other.
        point_tags: see `PointTags`, for all nodes of the expressions.
        frontier: the largest point-wise sub-expressions that call a network, by the tag of their points.
    """

    independent: frozenset[int]
    point_tags: PointTags
    frontier: Mapping[str, Sequence[Node]]

    def folded_tag(self, node_id: int) -> str:
        """Tag of the points that a node of the frontier runs over."""
        tag = self.point_tags[node_id]
        assert tag, "what is folded runs over points"
        return tag

    def networks_couple_points(self, node: Node) -> bool:
        """Whether some network below a node couples points, or may, because no test has shown that it does not."""
        calls = (below for below in walk([node]) if isinstance(below, ModelCall) and below.args)
        return any(id(call) not in self.independent for call in calls)


def analyse(roots: Sequence[Node], graph: Graph, independent: Collection[int]) -> Facts:
    """What holds for expressions, of whose networks it is known which do not couple points.

    Args:
        roots: canonical nodes.
        graph: that of the nodes.
        independent: ids of the model calls that were tested and do not couple points.
    """
    point_tags: dict[int, str | None] = {}
    for node in walk(roots):
        point_tags[id(node)] = _point_tag(node, point_tags, independent)
    return Facts(frozenset(independent), point_tags, _frontier(roots, graph, point_tags))


def _point_tag(node: Node, point_tags: PointTags, independent: Collection[int]) -> str | None:
    if isinstance(node, Variable):
        return point_tag(node) if node.at_points else ""
    kind = node.pointwise()
    if isinstance(node, ModelCall) and id(node) not in independent and not _is_number(node):
        return None
    if kind not in (Pointwise.YES, Pointwise.BY_SHAPE, Pointwise.BY_MODEL):
        return None
    below = {point_tags[id(child)] for child in node.children()}
    if None in below or len(below - {""}) > 1:
        return None
    return max((tag for tag in below if tag is not None), default="")


def _is_number(node: ModelCall) -> bool:
    """Whether a call is a trainable number: the same at all points."""
    return not node.args and math.prod(jax.eval_shape(node.model.module).shape) == 1


def _frontier(roots: Sequence[Node], graph: Graph, point_tags: PointTags) -> dict[str, tuple[Node, ...]]:
    calls_network: set[int] = set()
    for node in walk(roots):
        if isinstance(node, ModelCall) or any(id(child) in calls_network for child in node.children()):
            calls_network.add(id(node))
    largest: dict[str, dict[int, Node]] = {}
    visited: set[tuple[int, frozenset[str]]] = set()
    stack = [(root, frozenset[str]()) for root in reversed(roots)]
    while stack:
        node, rebound = stack.pop()
        if (id(node), rebound) in visited:
            continue
        visited.add((id(node), rebound))
        tag = point_tags[id(node)]
        if tag and id(node) in calls_network and not rebound & graph.tags(node):
            largest.setdefault(tag, {})[id(node)] = node
        elif not isinstance(node, Variable):
            below = rebound | rebound_tags(node, graph)
            stack.extend((child, below) for child in reversed(node.children()))
    return {tag: tuple(nodes.values()) for tag, nodes in largest.items()}


def rebound_tags(node: Node, graph: Graph) -> frozenset[str]:
    """Tags at whose own points and times the children of a node are not evaluated: a folded value would not be read."""
    if not node.binds:
        return frozenset()
    if isinstance(node, Derivative):
        return frozenset(point_tag(variable) for variable in node.variables)
    if isinstance(node, Integral | EvaluatedAt):
        return frozenset().union(*map(graph.tags, node.children())) - graph.tags(node)
    # integrals over time and gradients of networks evaluate everything below them anew
    return frozenset().union(*map(graph.tags, node.children()))
