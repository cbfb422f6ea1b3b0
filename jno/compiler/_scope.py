"""`Scope`: what names are bound to while nodes are evaluated, with memoisation.

A rule that needs its children at other coordinates (derivatives, integrals, finite differences) opens a child scope in
which some tags are bound to other arrays.  A node that depends on none of these tags has the same value there as in the
parent, so it is evaluated in the outermost scope in which its value is defined, once, however deep scopes are nested.
Every value is stored in the memo of the scope that computed it, never in that of a child: a child may live inside a
traced loop, whose values must not leave it (`sealed`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jaxtyping import Array, Int

from jno.domain import domain as Domain
from jno.trace import BinaryOp, FieldValue, Node, title

from ._expansions import Known
from ._facts import Facts
from ._graph import Graph
from ._pairing import Pairings
from ._row_quadrature import RowQuadratures
from ._row_stencils import Stencils
from ._rules import LoweringRule, rule_for
from ._types import GEOMETRY, Key, Modules, Shape
from ._value import AlignmentError, Value, common_point_set

Table = dict[str, Any]
"""Arrays by tag."""


class NotPointwiseError(Exception):
    """A folded expression that depends on points has a value that does not run over them."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Bindings:
    """Arrays of one sample and one time level.

    ``points``: tag → (N, D); ``times``: tag → (1, 1); ``tensors``: tag → row; ``nearest``: tag → (N,) mesh node ids;
    ``weights``: group of balanced losses → (K,); ``window``: the levels of the time window, None outside one.
    """

    points: Table
    times: Table
    tensors: Table
    nearest: Table
    weights: Table
    window: Window | None = None

    @property
    def geometry(self) -> Int[Array, ""] | None:
        """Number of the sample's geometry on a merged domain; None when all samples share one."""
        return self.tensors.get(GEOMETRY)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Window:
    """The arrays of all levels of the time window, and the axis of each that runs over the levels, or None."""

    bindings: Bindings
    axes: Bindings


@dataclasses.dataclass(frozen=True, order=True)
class Channel:
    """A derivative of a field: how often by time, and the columns of space it is taken by, in their order."""

    time: int = 0
    space: tuple[int, ...] = ()


FieldTable = Mapping[FieldValue, Mapping[Channel, Array]]
"""Canonical field → its tabulated derivatives ``(N, components)`` at the points."""


@dataclasses.dataclass(frozen=True)
class NoiseStream:
    """Number of a noise node's random stream, and the tag whose number of points it takes (None: one row)."""

    number: int
    tag: str | None


@dataclasses.dataclass(frozen=True)
class Setting:
    """What stays the same in all scopes of one evaluation."""

    graph: Graph
    domain: Domain
    modules: Modules
    key: Key | None
    noise_streams: Mapping[int, NoiseStream]
    """Noise node id → its random stream."""
    model_streams: Mapping[int, int]
    """Model id → number of its random stream, counted within the program so that runs are reproducible."""
    facts: Callable[[], Facts]
    """What holds for the program's expressions, derived when it is first read."""
    prepare: Callable[[Scope, Sequence[Node]], None]
    """Computes what several nodes share before they are evaluated one by one (derivative passes)."""
    pairings: Pairings
    """Which points of different point sets belong together."""
    quadratures: RowQuadratures
    """Quadrature rules of the domain's regions."""
    fields: FieldTable = dataclasses.field(default_factory=dict)
    """Fields of weak forms, tabulated at the points."""
    lags: bool = False
    """Whether coefficients that a linearisation takes as known have no derivative."""
    stencils: Stencils | None = None
    """Finite-difference stencils of the domain's meshes, or None without one."""
    all_levels: bool = True
    """Whether the time window holds all time levels."""
    lanes: int = 1
    """Number of samples and levels this evaluation is mapped over."""
    pointwise_only: bool = False
    """Refuse values that do not run over points: the points are those of many samples and levels (see `_fold`)."""
    passes: list[Any] | None = None
    """Filled with a report of every derivative pass, where it is a list."""
    shapes: dict[int, Shape] | None = None
    """Filled with the shape of every node's value, where it is a dict."""


class Scope:
    """Bindings plus a memo.  Nodes that do not depend on rebound tags are evaluated in the parent scope.

    Args:
        setting: what all scopes of the evaluation share.
        bindings: arrays by tag.
        parent: the scope in which nodes are evaluated that depend on no rebound tag.
        rebound: tags that are bound to other arrays than in the parent.
        pointwise: tags at whose points a derivative is taken here or further out: no value may couple them.
        derives: whether the derivative is taken by the rebound tags of this scope.
        padded: tags whose last points are copies that do not count: no value may couple them.
    """

    def __init__(
        self,
        setting: Setting,
        bindings: Bindings,
        parent: Scope | None = None,
        rebound: frozenset[str] = frozenset(),
        pointwise: frozenset[str] = frozenset(),
        *,
        derives: bool = False,
        padded: frozenset[str] = frozenset(),
    ) -> None:
        self.setting = setting
        self.bindings = bindings
        self._parent = parent
        self._rebound = rebound
        self._pointwise = pointwise
        self._derives = derives
        self._padded = padded
        self._memo: dict[int, Value] = {}
        self.known: Mapping[int, Known] = {}
        """Id of a node → what is known of it at these points, besides its value, before anything is evaluated."""

    def rebind(
        self,
        *,
        points: Table | None = None,
        times: Table | None = None,
        nearest: Table | None = None,
        derives: bool = False,
        padded: bool = False,
    ) -> Scope:
        """A child scope with other coordinates for some tags.

        Args:
            points: tag → coordinates.
            times: tag → time.
            nearest: tag → mesh nodes that belong to the new coordinates.
            derives: a derivative is taken at these coordinates: refuse values that couple points, and times where
                every point has its own.
            padded: the last points are copies that do not count: refuse values that couple them.
        """
        points, times, nearest = points or {}, times or {}, nearest or {}
        bindings = dataclasses.replace(
            self.bindings,
            points={**self.bindings.points, **points},
            times={**self.bindings.times, **times},
            nearest={**self.bindings.nearest, **nearest},
        )
        rebound = frozenset(points) | frozenset(times)
        # a single time is shared by all points: what couples them is differentiated in it all the same
        moving = frozenset(points) | {tag for tag, array in times.items() if array.shape[0] > 1}
        return Scope(
            self.setting,
            bindings,
            self,
            rebound,
            self._pointwise | (moving if derives else frozenset()),
            derives=derives,
            padded=self._padded | (rebound if padded else frozenset()),
        )

    def at(self, bindings: Bindings) -> Scope:
        """The same points over other bindings (another time level)."""
        if self._parent is None:
            return Scope(self.setting, bindings)
        points, nearest = self.bindings.points, self.bindings.nearest
        return self._parent.at(bindings).rebind(
            points={tag: points[tag] for tag in self._rebound if tag in points},
            nearest={tag: nearest[tag] for tag in self._rebound if tag in nearest},
            derives=self._derives,
            padded=bool(self._rebound & self._padded),
        )

    def sealed(self) -> Scope:
        """A copy that knows all values found so far and keeps new ones to itself, for the body of a loop."""
        copy = Scope(
            self.setting,
            self.bindings,
            None if self._parent is None else self._parent.sealed(),
            self._rebound,
            self._pointwise,
            derives=self._derives,
            padded=self._padded,
        )
        copy._memo = dict(self._memo)
        copy.known = self.known
        return copy

    def know(self, known: Mapping[int, Known]) -> None:
        """Take values from what is known, and let derivative passes at these points read derivatives there."""
        self.known = known
        for number, entry in known.items():
            self.seed(number, entry.value)

    @property
    def rebound(self) -> frozenset[str]:
        """Tags whose coordinates differ from the parent's."""
        return self._rebound

    def detached(self, bindings: Bindings, modules: Modules | None = None) -> Scope:
        """A scope that shares nothing with this one but the setting (optionally with other modules)."""
        setting = self.setting if modules is None else dataclasses.replace(self.setting, modules=modules)
        return Scope(setting, bindings)

    def pointwise_probe(self) -> Scope:
        """A scope over the same bindings that raises `NotPointwiseError` where a value does not run over points."""
        return Scope(dataclasses.replace(self.setting, pointwise_only=True), self.bindings)

    def values(self, nodes: Sequence[Node]) -> list[Value]:
        """Values of canonical nodes, each computed once per scope; their derivatives share passes."""
        missing = [node for node in nodes if id(node) not in self._memo]
        if missing:
            self.setting.prepare(self, missing)
        return [self._computed(node) for node in nodes]

    def value(self, node: Node) -> Value:
        """Value of one canonical node."""
        return self.values([node])[0]

    def _computed(self, node: Node) -> Value:
        """Iterative, so depth is unlimited."""
        stack = [node]
        while stack:
            current = stack[-1]
            if id(current) in self._memo:
                stack.pop()
                continue
            if self._parent is not None and self.defers(current):
                self.store(current, self._parent.value(current))
                continue
            rule = rule_for(current)
            children = () if current.binds else current.children()
            pending = [child for child in children if id(child) not in self._memo]
            if pending:
                stack.extend(reversed(pending))
                continue
            with jax.named_scope(type(current).__name__):
                self.store(current, self._lower(current, rule, [self._memo[id(c)] for c in children]))
        return self._memo[id(node)]

    def knows(self, node: Node) -> bool:
        """Whether the value has been computed."""
        return id(node) in self._memo

    def defers(self, node: Node) -> bool:
        """Whether the value is the same in the parent scope, and therefore computed there."""
        return self._parent is not None and (self._is_constant(node) or self._is_stopped(node))

    def _is_constant(self, node: Node) -> bool:
        return not (self._rebound & self.setting.graph.tags(node))

    def _is_stopped(self, node: Node) -> bool:
        """Whether a node has no derivative here: then its value is that of the parent, at the same coordinates."""
        return self._derives and node.stops_gradient()

    def differentiates(self, tag: str) -> bool:
        """Whether a derivative is being taken by the coordinates (or the time) of a tag."""
        here = self._derives and tag in self._rebound
        return here or (self._parent is not None and self._parent.differentiates(tag))

    def refuse_coupling(self, node: Node, shape: Shape) -> None:
        """Raise when a node that mixes or drops points depends on points that are differentiated at, or folded."""
        tags = self.setting.graph.tags(node)
        if self.setting.pointwise_only and tags:
            raise NotPointwiseError(title(node))
        if self._padded & tags and not self._is_constant(node):
            raise ValueError(
                f"'{title(node)}' of shape {tuple(shape)} does not run over the points (a mean, a sum, some of the "
                "points): inside integrals and finite differences on a merged domain with meshes of different size "
                "this is not defined; use an integral, or take it outside"
            )
        if not self._pointwise & tags or self._is_constant(node) or self._is_stopped(node):
            return
        raise ValueError(
            f"'{title(node)}' of shape {tuple(shape)} does not run over the points it is differentiated at (a mean, a "
            "sum, some of the points, a product over points): differentiate first and reduce afterwards, or hold the "
            "reduction constant with .stop_gradient"
        )

    def tabulated(self, node: FieldValue, channel: Channel) -> Value:
        """A derivative of a field of a weak form at the points.

        Raises:
            ValueError: there is no weak form: the field has no values.
        """
        if node not in self.setting.fields:
            raise ValueError(
                f"{node.field.name!r} is a {node.role} function of a weak form, which has no value here: assemble "
                "terms with test functions by jno.fem([...])"
            )
        return Value(self.setting.fields[node][channel], 0)

    def seed(self, node_id: int, value: Value) -> None:
        """Set a node's value instead of computing it."""
        self._memo[node_id] = value

    def store(self, node: Node, value: Value) -> None:
        """Keep a value that was computed here, after checking what the scope refuses."""
        self._memo[id(node)] = value
        if value.point_axis != 0 and self.setting.pointwise_only and self.setting.graph.tags(node):
            raise NotPointwiseError(title(node))
        if value.point_axis is None:
            self.refuse_coupling(node, value.array.shape)
        if self.setting.shapes is not None:
            self.setting.shapes.setdefault(id(node), tuple(value.array.shape))

    def _lower(self, node: Node, rule: LoweringRule, arguments: list[Value]) -> Value:
        try:
            if len(arguments) > 1 and not is_outer_product(node, arguments):
                arguments = self.setting.pairings.paired(arguments)
            value = rule(node, self, *arguments)
            if value.point_axis is not None and value.point_set is None:
                return dataclasses.replace(value, point_set=common_point_set(arguments))
            return value
        except AlignmentError as error:
            operands = ", ".join(
                f"{title(child)} {tuple(value.array.shape)}"
                for child, value in zip(node.children(), arguments, strict=False)
            )
            raise ValueError(f"'{title(node)}' of {operands}: {error}") from error


def is_outer_product(node: Node, factors: Sequence[Value]) -> bool:
    """Whether a matrix product has the points of one factor along its rows and those of the other along its columns."""
    if not isinstance(node, BinaryOp) or node.op != "@":
        return False
    left, right = factors
    contracted = left.point_axis == left.array.ndim - 1 and right.point_axis == max(right.array.ndim - 2, 0)
    return not contracted
