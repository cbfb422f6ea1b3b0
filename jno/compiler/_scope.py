"""`Scope`: what names are bound to while nodes are evaluated, with memoisation."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from jno.trace import Node, UnaryOp, title

from ._graph import Graph
from ._rules import rule_for
from ._value import AlignmentError, Value


class NotPointwiseError(Exception):
    """A folded expression that depends on points has a value that does not run over them."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Bindings:
    """Arrays of one sample and one time level.

    ``points``: tag → (N, D); ``times``: tag → (1, 1); ``tensors``: tag → row; ``nearest``: tag → (N,) mesh node ids;
    ``window``: the same for all levels of the time window, or None.
    """

    points: dict[str, Any]
    times: dict[str, Any]
    tensors: dict[str, Any]
    nearest: dict[str, Any]
    window: Any = None


@dataclasses.dataclass(frozen=True)
class Setting:
    """What stays the same in all scopes of one evaluation."""

    graph: Graph
    domain: Any
    modules: dict[int, Any]
    key: Any
    draws: dict[int, tuple[int, str | None]]
    """Noise node id → (stream number, tag whose number of points it takes)."""
    streams: dict[int, int]
    """Model id → number of its random stream, counted within the program so that runs are reproducible."""
    stencils: Any = None
    """Finite-difference stencils of the domain's mesh, or None without one."""
    pointwise_only: bool = False
    """Refuse values that do not run over points: the points are those of many samples and levels (see `_fold`)."""
    shapes: dict[int, tuple[int, ...]] | None = None
    """Filled with the shape of every node's value when given."""


class Scope:
    """Bindings plus a memo.  Nodes that do not depend on rebound tags are evaluated in the parent scope."""

    def __init__(
        self,
        setting: Setting,
        bindings: Bindings,
        parent: Scope | None = None,
        rebound: frozenset[str] = frozenset(),
        pointwise: frozenset[str] = frozenset(),
    ) -> None:
        self.setting = setting
        self.bindings = bindings
        self._parent = parent
        self._rebound = rebound
        self._pointwise = pointwise
        self._memo: dict[int, Value] = {}

    def rebind(
        self, *, points: dict[str, Any] | None = None, times: dict[str, Any] | None = None, pointwise: bool = False
    ) -> Scope:
        """A child scope with other coordinates for some tags; ``pointwise``: refuse values that couple their points."""
        points, times = points or {}, times or {}
        bindings = dataclasses.replace(
            self.bindings, points={**self.bindings.points, **points}, times={**self.bindings.times, **times}
        )
        rebound = frozenset(points) | frozenset(times)
        return Scope(self.setting, bindings, self, rebound, self._pointwise | (rebound if pointwise else frozenset()))

    def detached(self, bindings: Bindings, modules: dict[int, Any] | None = None) -> Scope:
        """A scope that shares nothing with this one but the setting (optionally with other modules)."""
        setting = self.setting if modules is None else dataclasses.replace(self.setting, modules=modules)
        return Scope(setting, bindings)

    def pointwise_probe(self) -> Scope:
        """A scope over the same bindings that raises `NotPointwiseError` where a value does not run over points."""
        return Scope(dataclasses.replace(self.setting, pointwise_only=True), self.bindings)

    def value(self, node: Node) -> Value:
        """Value of a canonical node, computed once per scope; iterative, so depth is unlimited."""
        stack = [node]
        while stack:
            current = stack[-1]
            if id(current) in self._memo:
                stack.pop()
                continue
            if self._parent is not None and (self._is_constant(current) or self._is_stopped(current)):
                self._store(current, self._parent.value(current))
                continue
            rule = rule_for(current)
            children = () if rule.binds else current.children()
            pending = [child for child in children if id(child) not in self._memo]
            if pending:
                stack.extend(reversed(pending))
                continue
            with jax.named_scope(type(current).__name__):
                self._store(current, self._lower(current, rule.lower, [self._memo[id(c)] for c in children]))
        return self._memo[id(node)]

    def _is_constant(self, node: Node) -> bool:
        return not (self._rebound & self.setting.graph.tags(node))

    def _is_stopped(self, node: Node) -> bool:
        """Whether a node has no derivative here: then its value is that of the parent, at the same coordinates."""
        return self._rebound <= self._pointwise and isinstance(node, UnaryOp) and node.op == "stop_gradient"

    def refuse_coupling(self, node: Node, shape: tuple[int, ...]) -> None:
        """Raise when a node that mixes or drops points depends on points that are differentiated at, or folded."""
        tags = self.setting.graph.tags(node)
        if self.setting.pointwise_only and tags:
            raise NotPointwiseError(title(node))
        if not self._pointwise & tags or self._is_constant(node) or self._is_stopped(node):
            return
        raise ValueError(
            f"'{title(node)}' of shape {tuple(shape)} does not run over the points it is differentiated at (a mean, a "
            "sum, some of the points, a product over points): differentiate first and reduce afterwards, or hold the "
            "reduction constant with .stop_gradient"
        )

    def seed(self, node_id: int, value: Value) -> None:
        """Give a node's value instead of computing it."""
        self._memo[node_id] = value

    def _store(self, node: Node, value: Value) -> None:
        self._memo[id(node)] = value
        if value.point_axis != 0 and self.setting.pointwise_only and self.setting.graph.tags(node):
            raise NotPointwiseError(title(node))
        if value.point_axis is None:
            self.refuse_coupling(node, value.array.shape)
        if self.setting.shapes is not None:
            self.setting.shapes.setdefault(id(node), tuple(value.array.shape))

    def _lower(self, node: Node, lower: Any, arguments: list[Value]) -> Value:
        try:
            return lower(node, self, *arguments)
        except AlignmentError as error:
            operands = ", ".join(
                f"{title(child)} {tuple(value.array.shape)}"
                for child, value in zip(node.children(), arguments, strict=False)
            )
            raise ValueError(f"'{title(node)}' of {operands}: {error}") from error
