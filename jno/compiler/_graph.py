"""Hash-consing: structurally equal nodes become one node, each structure hashed once."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from jno.trace import (
    AdaptiveWeight,
    EvaluatedAt,
    Integral,
    IntegralTime,
    Model,
    Node,
    Noise,
    TensorTag,
    Tracker,
    Variable,
    point_tag,
    walk,
)

_SMALL_ARRAY_BYTES = 4096


class Graph:
    """Interned nodes: structurally equal ones are one canonical node.

    What was worked out about a canonical node is remembered with it: the tags it depends on, and whether a call of a
    network was seen to couple points.  Neither changes, so programs may share a graph in any order.
    """

    def __init__(self) -> None:
        self._interned: dict[Hashable, Node] = {}
        self._canonical: dict[int, Node] = {}
        # nodes that an id stands for must outlive it
        self._keep_alive: list[Node] = []
        self._tags: dict[int, frozenset[str]] = {}
        self._couples: dict[int, bool] = {}

    def couples(self, call: Node) -> bool | None:
        """Whether a test has shown that the call of a network couples points; None: it has not been tested."""
        return self._couples.get(id(call))

    def remember_coupling(self, call: Node, couples: bool) -> None:
        """Keep the result of a test of a canonical call; the first one counts."""
        self._couples.setdefault(id(call), couples)

    def intern(self, root: Node) -> Any:
        """The canonical node of the same structure as ``root``."""
        for node in walk([root]):
            if id(node) in self._canonical:
                continue
            children = tuple(self._canonical[id(child)] for child in node.children())
            static = tuple((name, static_key(value)) for name, value in node.static_fields())
            key = (type(node), static, tuple(map(id, children)))
            if key not in self._interned:
                self._interned[key] = node.with_children(children)
            self._canonical[id(node)] = self._interned[key]
            self._canonical[id(self._interned[key])] = self._interned[key]
            self._keep_alive.append(node)
        return self._canonical[id(root)]

    def tags(self, node: Node) -> frozenset[str]:
        """Context entries the value of ``node`` depends on (points, times, data), bound regions excluded."""
        if id(node) not in self._tags:
            is_next = all(id(child) in self._tags for child in node.children())
            for below in [node] if is_next else walk([node]):
                if id(below) not in self._tags:
                    self._tags[id(below)] = self._tags_from_children(below)
                    self._keep_alive.append(below)
        return self._tags[id(node)]

    def _tags_from_children(self, node: Node) -> frozenset[str]:
        if isinstance(node, Variable | TensorTag):
            return frozenset([node.tag])
        if isinstance(node, AdaptiveWeight):
            return frozenset()  # a number that training computed before
        below = frozenset[str]().union(*(self._tags[id(child)] for child in node.children()))
        if isinstance(node, EvaluatedAt):
            outside = (self._tags[id(child)] for child in node.coordinates)
            return (self._tags[id(node.target)] - {node.tag}).union(*outside)
        if isinstance(node, Integral):
            data = frozenset(leaf.tag for leaf in walk([node]) if isinstance(leaf, TensorTag))
            times = frozenset(leaf.tag for leaf in walk([node]) if isinstance(leaf, Variable) and not leaf.at_points)
            outer = frozenset() if node.integration_var is None else frozenset([node.integration_var.tag])
            return (below & (data | times)) | outer
        return below


def static_key(value: object) -> Hashable:
    """A hashable stand-in for a static field; large arrays and objects count by identity."""
    if isinstance(value, bool | int | float | complex | str | bytes | type(None)):
        return (type(value), repr(value))
    if isinstance(value, slice):
        return (slice, repr(value))
    if isinstance(value, tuple | list):
        return (type(value), tuple(static_key(v) for v in value))
    if isinstance(value, dict):
        return (dict, tuple((k, static_key(v)) for k, v in value.items()))
    if isinstance(value, functools.partial):
        return (functools.partial, static_key(value.func), static_key(value.args), static_key(value.keywords))
    if isinstance(value, np.ndarray | np.generic) and value.nbytes <= _SMALL_ARRAY_BYTES:
        return (np.ndarray, value.dtype.str, value.shape, value.tobytes())
    return ("id", id(value))


def bound_in_context(roots: Iterable[Node]) -> list[Variable | TensorTag]:
    """The variables and data below ``roots`` that a domain's context binds: all but those of aliases inside them."""
    nodes = list(walk(roots))
    aliases = {node.tag for node in nodes if isinstance(node, EvaluatedAt)}
    return [node for node in nodes if isinstance(node, Variable | TensorTag) and node.tag not in aliases]


def spatial_tags(roots: Iterable[Node]) -> tuple[str, ...]:
    """Distinct point tags of the spatial variables below ``roots`` in order of first appearance."""
    variables = (leaf for leaf in bound_in_context(roots) if isinstance(leaf, Variable))
    return tuple(dict.fromkeys(point_tag(variable) for variable in variables if variable.at_points))


def models_of(roots: Iterable[Node]) -> list[Model]:
    """The models below ``roots`` in order of first appearance."""
    return list(dict.fromkeys(model for node in walk(roots) for model in node.models()))


def adaptive_weights(roots: Iterable[Node]) -> list[AdaptiveWeight]:
    """One weight of every group of balanced losses, in order of first appearance."""
    groups: dict[int, AdaptiveWeight] = {}
    for node in walk(roots):
        if isinstance(node, AdaptiveWeight):
            groups.setdefault(id(node.balanced), node)
    return list(groups.values())


def weights_key(node: AdaptiveWeight) -> tuple[str, str]:
    """The entry of a program's data that holds the weights of a group."""
    return "weights", str(id(node.balanced))


def trained_models(roots: Iterable[Node]) -> list[Model]:
    """The models below ``roots`` that a gradient reaches: not only through ``.stop_gradient``."""
    models: dict[Model, None] = {}
    stack, visited = list(roots), set[int]()
    while stack:
        node = stack.pop()
        if id(node) in visited or node.stops_gradient():
            continue
        visited.add(id(node))
        models.update(dict.fromkeys(node.models()))
        stack.extend(node.children())
    return list(models)


def noise_nodes(roots: Iterable[Node]) -> tuple[Noise, ...]:
    """Noise nodes in graph order, which numbers their random streams."""
    return tuple(node for node in walk(roots) if isinstance(node, Noise))


def untracked(node: Node) -> Node:
    """The expression a tracker records."""
    return node.target if isinstance(node, Tracker) else node


def needs_window(roots: Iterable[Node]) -> bool:
    """Whether any expression integrates over the time window."""
    return any(isinstance(node, IntegralTime) for node in walk(roots))
