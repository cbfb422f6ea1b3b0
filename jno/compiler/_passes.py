"""Derivative passes: all automatic derivatives that a scope needs, computed together.

The derivatives below some expressions are grouped by the points they live on.  The targets of a group become one
function of the coordinates, which the Taylor engine evaluates once.  A target that itself contains derivatives of the
group (``(k * u.d(x)).d(x)``) is a function of their values as well: it belongs to a later level of the same pass, and
what it needs of the inner derivatives is read off a higher order of the earlier level (the product rule).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from jno.trace import Derivative, FieldValue, Jacobian, Node, Pointwise, title, walk
from jno.utils import get_logger

from ._directional import Direction, direction_of, target_of
from ._expansions import Known, Terms
from ._requests import Factors, assembled, gradient, is_planned, requests
from ._scope import Channel, Scope
from ._taylor import (
    IDENTITY,
    Differentiated,
    Jet,
    Operator,
    Streams,
    differentiate,
    jet_of,
    operator,
    seed,
    streams_for,
)
from ._value import Value


@dataclasses.dataclass(frozen=True)
class TargetReport:
    """What is differentiated, and the operators that are applied to it."""

    title: str
    operators: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class LevelReport:
    """One evaluation of some targets with all their derivatives."""

    tags: tuple[str, ...]
    level: int
    carried: tuple[str, ...]
    """Operators whose values are carried along, the value itself first."""
    targets: tuple[TargetReport, ...]
    fallen_back: tuple[str, ...]
    """Primitives without a rule, differentiated by nested `jax.jvp`."""


def scaled(value: Value, weight: float) -> Value:
    """A value times a number."""
    return value if weight == 1 else dataclasses.replace(value, array=weight * value.array)


def run_passes(scope: Scope, nodes: Sequence[Node]) -> None:
    """Compute the planned derivatives below ``nodes`` that belong to this scope, and keep their values in it."""
    groups: dict[_PassGroup, list[Derivative]] = {}
    for node in _collect(scope, nodes):
        groups.setdefault(_group_of(scope, node), []).append(node)
    for members in groups.values():
        bundle = _Bundle(scope, members, scope.known)
        # what a pass of other expressions was computed for may lack a derivative
        (bundle if bundle.is_covered else _Bundle(scope, members, {})).run()


def _collect(scope: Scope, nodes: Sequence[Node]) -> list[Derivative]:
    """Planned derivatives that are evaluated in this scope, inner ones first."""
    derivatives: list[Derivative] = []
    visited: set[int] = set()
    stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(nodes)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            assert isinstance(node, Derivative)
            derivatives.append(node)
            continue
        if id(node) in visited or scope.knows(node) or scope.defers(node):
            continue
        visited.add(id(node))
        if isinstance(node, Derivative) and is_planned(node):
            stack += [(node, True), (node.target, False)]
        elif not node.binds:
            stack.extend((child, False) for child in reversed(node.children()))
    return derivatives


@dataclasses.dataclass(frozen=True)
class _PassGroup:
    """Point tags of a target; derivatives in time of what couples points keep apart from those in space.

    Together in one pass the coupling would be refused, though it does not matter for the derivative in time.
    """

    tags: frozenset[str]
    couples_in_time: bool


def _group_of(scope: Scope, node: Derivative) -> _PassGroup:
    tags = scope.setting.graph.tags(node.target) & frozenset(scope.bindings.points)
    temporal = all(not variable.at_points for variable in node.variables)
    return _PassGroup(tags - scope.setting.domain.normal_tags, temporal and any(map(_may_couple, walk([node.target]))))


def _may_couple(node: Node) -> bool:
    """Whether the value at a point may depend on other points; networks are taken as point-wise here."""
    return node.pointwise() in (Pointwise.NO, Pointwise.BY_SHAPE, Pointwise.BY_FUNCTION)


@dataclasses.dataclass(frozen=True)
class _PassCoordinates:
    """Coordinates that a pass moves along: the points of a tag, or its time."""

    tag: str
    temporal: bool


@dataclasses.dataclass(frozen=True)
class _Computed:
    """A target whose level has run: its derivatives are read off the result."""

    result: Differentiated
    output: int
    value: Value
    """The target's value without its array."""

    def read(self, op: Operator) -> Array:
        return self.result.read(self.output, op)


class _Bundle:
    """The planned derivatives of one group, level by level.

    A level evaluates its targets once, as functions of the coordinates and of what earlier levels computed.  Which
    operators an earlier level must apply follows from what the later ones read of it, so needs are worked out from
    the last level to the first, and values from the first to the last.  What is known beforehand (fields of weak
    forms, precomputed expressions) is read as if an earlier level had computed it.
    """

    def __init__(self, scope: Scope, members: Sequence[Derivative], known: Mapping[int, Known]) -> None:
        self._scope = scope
        self._known = known
        self._members = {id(node): node for node in members}
        self._directions: dict[Direction, int] = {}
        self._operators = {id(node): [self._operator(node, terms) for terms in requests(node)] for node in members}
        self._level = self._levels(members)
        self._target_level = {id(node.target): self._level[id(node)] for node in members}
        self._needed: dict[int, set[Operator]] = {id(node.target): {IDENTITY} for node in members}
        """Target → operators that are applied to it."""
        for node in members:
            self._needed[id(node.target)].update(self._operators[id(node)])
        self._positions: dict[tuple[int, int], set[int]] = {}
        """Level and what it reads of earlier ones → positions of the parts it needs of that."""
        self._computed: dict[int, _Computed] = {}
        self._level_inputs = {level: self._inputs(level) for level in range(max(self._level.values()), 0, -1)}

    @property
    def is_covered(self) -> bool:
        """Whether all derivatives are known that are needed of what is known."""
        for level, inputs in self._level_inputs.items():
            for node in inputs:
                known = self._known.get(id(node))
                if known is not None and not all(map(known.covers, self._read_terms(level, node).values())):
                    return False
        return True

    def run(self) -> None:
        """All levels, from the innermost targets outwards."""
        for level in sorted(self._level_inputs):
            self._run_level(level, self._level_inputs[level])
        for target, computed in self._computed.items():
            value = computed.result.jets[computed.output].value
            self._scope.seed(target, dataclasses.replace(computed.value, array=value))

    def _operator(self, node: Derivative, terms: Sequence[tuple[float, Factors]]) -> Operator:
        """A weighted sum of derivatives; those by something the target does not depend on are zero."""
        weights: dict[tuple[int, ...], float] = {}
        for weight, factors in terms:
            directions = [direction_of(variable) for variable in factors]
            if any(target_of(node, node.target, direction, self._scope) is None for direction in directions):
                continue
            monomial = tuple(sorted(self._directions.setdefault(d, len(self._directions)) for d in directions))
            weights[monomial] = weights.get(monomial, 0.0) + weight
        return operator(weights)

    # --- levels ---------------------------------------------------------------------------------------------------
    def _levels(self, members: Sequence[Derivative]) -> dict[int, int]:
        levels: dict[int, int] = {}
        for node in members:
            inner = [below for below in self._read_by(node.target, set()) if id(below) in self._members]
            levels[id(node)] = 1 + max((levels[id(below)] for below in inner), default=0)
        return levels

    def _read_by(self, target: Node, targets: set[int]) -> list[Node]:
        """Derivatives of the group, some targets, and what is known, that the value of ``target`` is computed from."""
        read: list[Node] = []
        visited: set[int] = set()
        stack = [target]
        while stack:
            node = stack.pop()
            if id(node) in visited:
                continue
            visited.add(id(node))
            if id(node) in self._known:
                if self._moves(node):
                    read.append(node)
            elif id(node) in self._members or id(node) in targets or isinstance(node, FieldValue):
                read.append(node)
            elif not node.binds:
                stack.extend(node.children())
        return read

    def _moves(self, node: Node) -> bool:
        """Whether the value changes along some direction of the pass."""
        tags = self._scope.setting.graph.tags(node)
        return not node.stops_gradient() and any(direction.tag in tags for direction in self._directions)

    def _targets(self, level: int) -> list[Node]:
        targets = {id(node.target): node.target for node in self._members.values() if self._level[id(node)] == level}
        return list(targets.values())

    def _streams(self, level: int) -> Streams:
        """What a level carries; final once the levels above have said what they need."""
        return streams_for(op for target in self._targets(level) for op in self._needed[id(target)])

    def _inputs(self, level: int) -> list[Node]:
        """What the targets of a level read of earlier levels; notes which derivatives they need of it."""
        earlier = {target for target, target_level in self._target_level.items() if target_level < level}
        streams = self._streams(level)
        inputs: dict[int, Node] = {}
        for target in self._targets(level):
            positions = streams.positions(streams.needed(self._needed[id(target)]))
            for node in self._read_by(target, earlier):
                inputs[id(node)] = node
                self._positions.setdefault((level, id(node)), {0}).update(positions)
        for number, node in inputs.items():
            if isinstance(node, FieldValue) or number in self._known:
                continue  # its derivatives are tabulated
            outer = [streams.basis[position][0] for position in self._positions[level, number]]
            if number in self._members:
                base = id(self._members[number].target)
                for inner in self._operators[number]:
                    self._needed[base].update(op.then(inner) for op in outer)
            else:
                self._needed[number].update(outer)
        return list(inputs.values())

    # --- evaluation -----------------------------------------------------------------------------------------------
    def _run_level(self, level: int, inputs: Sequence[Node]) -> None:
        targets = self._targets(level)
        operators = [sorted(self._needed[id(target)], key=lambda op: op.terms) for target in targets]
        streams = self._streams(level)
        seeds = self._seeds(streams)
        input_values = [self._derived(node, IDENTITY) for node in inputs]
        input_jets = [self._jet(level, node, value, streams) for node, value in zip(inputs, input_values, strict=True)]
        target_values: list[Value] = []

        def function(*arrays: Array) -> list[Array]:
            coordinates = dict(zip(seeds, arrays, strict=False))
            child = self._scope.sealed().rebind(
                points={place.tag: array for place, array in coordinates.items() if not place.temporal},
                times={place.tag: array for place, array in coordinates.items() if place.temporal},
                derives=True,
            )
            for node, value, array in zip(inputs, input_values, arrays[len(seeds) :], strict=True):
                child.seed(id(node), dataclasses.replace(value, array=array))
            values = child.values(targets)
            target_values[:] = map(self._without_array, values)
            return [value.array for value in values]

        result = differentiate(function, [*seeds.values(), *input_jets], streams, operators)
        self._report(level, targets, operators, result)
        for output, (target, value) in enumerate(zip(targets, target_values, strict=True)):
            self._computed[id(target)] = _Computed(result, output, value)
        for node in self._members.values():
            if self._level[id(node)] == level:
                self._scope.store(node, self._derived(node, IDENTITY))

    @staticmethod
    def _without_array(value: Value) -> Value:
        """Where an array would belong; the array itself may be a tracer that must not outlive its trace."""
        return dataclasses.replace(value, array=None)

    def _seeds(self, streams: Streams) -> dict[_PassCoordinates, Jet]:
        """Jets of the coordinates."""
        tangents: dict[_PassCoordinates, dict[int, Any]] = {}
        coordinates: dict[_PassCoordinates, Array] = {}
        for direction, number in self._directions.items():
            place = _PassCoordinates(direction.tag, direction.temporal)
            coordinates[place] = direction.coordinates(self._scope)
            tangents.setdefault(place, {})[number] = direction.tangent(self._scope)
        return {place: seed(array, tangents[place], streams) for place, array in coordinates.items()}

    def _jet(self, level: int, node: Node, value: Value, streams: Streams) -> Jet:
        """Jet of something that is known or an earlier level computed, without the parts that other levels need."""
        known = self._known.get(id(node))
        if known is not None:
            read = {position: known.derivative(terms) for position, terms in self._read_terms(level, node).items()}
            return jet_of(value.array, {position: part for position, part in read.items() if part is not None}, streams)
        parts = {
            position: self._derived(node, streams.basis[position][0]).array
            for position in sorted(self._positions[level, id(node)])
            if position > 0
        }
        return jet_of(value.array, parts, streams)

    def _read_terms(self, level: int, node: Node) -> dict[int, Terms]:
        """The derivatives a level needs of something known, by position, without those that are zero."""
        basis, tags = self._streams(level).basis, self._scope.setting.graph.tags(node)
        directions = list(self._directions)
        read: dict[int, Terms] = {}
        for position in sorted(self._positions[level, id(node)] - {0}):
            sums = [(tuple(directions[i] for i in monomial), weight) for monomial, weight in basis[position][0].terms]
            terms = tuple(term for term in sums if all(direction.tag in tags for direction in term[0]))
            if terms:
                read[position] = terms
        return read

    def _derived(self, node: Node, outer: Operator) -> Value:
        """``outer`` of a derivative of the group, of a target, or of a field; of what is known the value."""
        if id(node) in self._known:
            return self._scope.value(node)
        if isinstance(node, FieldValue):
            return self._tabulated(node, outer)
        if id(node) not in self._members:
            computed = self._computed[id(node)]
            return dataclasses.replace(computed.value, array=computed.read(outer))
        member = self._members[id(node)]
        computed = self._computed[id(member.target)]
        operators = [outer.then(op) for op in self._operators[id(node)]]
        if isinstance(member, Jacobian) and len(operators) > 1:
            return gradient(computed.result.read_stacked(computed.output, operators), computed.value)
        return assembled(member, list(map(computed.read, operators)), computed.value)

    def _tabulated(self, node: FieldValue, outer: Operator) -> Value:
        """``outer`` of a field, of what is tabulated of it."""
        directions = {number: direction for direction, number in self._directions.items()}
        value, *remaining = [
            scaled(self._monomial(node, [directions[number] for number in monomial], Channel()), weight)
            for monomial, weight in outer.terms
        ]
        return dataclasses.replace(value, array=functools.reduce(jnp.add, [v.array for v in remaining], value.array))

    def _monomial(self, node: FieldValue, directions: Sequence[Direction], channel: Channel) -> Value:
        """The derivative of a field along some directions, one after the other, of its derivative ``channel``."""
        if not directions:
            return self._scope.tabulated(node, channel)
        direction, *remaining = directions
        if direction.temporal:
            return self._monomial(node, remaining, dataclasses.replace(channel, time=channel.time + 1))
        columns = range(node.field.domain.dimension) if direction.column is None else [direction.column]
        values = [
            self._monomial(node, remaining, Channel(channel.time, tuple(sorted((*channel.space, column)))))
            for column in columns
        ]
        if direction.column is not None:
            return values[0]
        normal = direction.tangent(self._scope)
        terms = [normal[:, column, None] * value.array for column, value in enumerate(values)]
        return dataclasses.replace(values[0], array=functools.reduce(jnp.add, terms))

    def _report(
        self, level: int, targets: Sequence[Node], operators: Sequence[Sequence[Operator]], result: Differentiated
    ) -> None:
        if result.fallen_back:
            names = ", ".join(sorted(result.fallen_back))
            get_logger().once(f"no Taylor rule for {names}: differentiated by nested jax.jvp", level="debug")
        if self._scope.setting.passes is None:
            return
        symbols = [str(direction) for direction in self._directions]
        self._scope.setting.passes.append(
            LevelReport(
                tuple(sorted({"time" if direction.temporal else direction.tag for direction in self._directions})),
                level,
                tuple(op.name(symbols) for op, _ in result.streams.basis),
                tuple(
                    TargetReport(title(target), tuple(op.name(symbols) for op in ops if op != IDENTITY))
                    for target, ops in zip(targets, operators, strict=True)
                ),
                tuple(sorted(result.fallen_back)),
            )
        )
