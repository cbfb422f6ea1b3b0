"""Derivative passes: all automatic derivatives that a scope needs, computed together.

The derivatives below the wanted expressions are grouped by the points they live on.  The targets of a group become one
function of the coordinates, which the Taylor engine evaluates once.  A target that itself contains derivatives of the
group (``(k * u.d(x)).d(x)``) is a function of their values as well: it belongs to a later level of the same pass, and
what it needs of the inner derivatives is read off a higher order of the earlier level (the product rule).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from jno.trace import Derivative, Jacobian, Node, Pointwise, title, walk
from jno.utils import get_logger

from ._directional import Direction, direction_of, target_of
from ._requests import assembled, gradient, is_planned, requests
from ._scope import Scope
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
class LevelReport:
    """One evaluation of some targets with all their derivatives."""

    tags: tuple[str, ...]
    level: int
    carried: tuple[str, ...]
    """Operators whose values are carried along, the value itself first."""
    wanted: tuple[tuple[str, tuple[str, ...]], ...]
    """Target and the operators wanted of it."""
    fallen_back: tuple[str, ...]
    """Primitives without a rule, differentiated by nested `jax.jvp`."""


def run_passes(scope: Scope, nodes: Sequence[Node]) -> None:
    """Compute the planned derivatives below ``nodes`` that belong to this scope, and keep their values in it."""
    found = _collect(scope, nodes)
    groups: dict[Any, list[Derivative]] = {}
    for node in found:
        groups.setdefault(_group_key(scope, node), []).append(node)
    for members in groups.values():
        _Pass(scope, members).run()


def _collect(scope: Scope, nodes: Sequence[Node]) -> list[Derivative]:
    """Planned derivatives that are evaluated in this scope, inner ones first."""
    found: list[Derivative] = []
    seen: set[int] = set()
    stack: list[tuple[Any, bool]] = [(node, False) for node in reversed(nodes)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            found.append(node)
            continue
        if id(node) in seen or scope.knows(node) or scope.defers(node):
            continue
        seen.add(id(node))
        if is_planned(node):
            stack += [(node, True), (node.target, False)]
        elif not node.binds:
            stack.extend((child, False) for child in reversed(node.children()))
    return found


def _group_key(scope: Scope, node: Derivative) -> tuple[frozenset[str], bool]:
    """Point tags of the target; derivatives in time of what couples points keep apart from those in space."""
    tags = scope.setting.graph.tags(node.target) & frozenset(scope.bindings.points)
    temporal = all(variable.axis == "temporal" for variable in node.variables)
    return tags - scope.setting.domain.normal_tags, temporal and any(map(_may_couple, walk([node.target])))


def _may_couple(node: Node) -> bool:
    """Whether the value at a point may depend on other points; networks are taken as point-wise here."""
    return node.pointwise() in (Pointwise.NO, Pointwise.BY_SHAPE, Pointwise.BY_FUNCTION)


class _Pass:
    """The planned derivatives of one group."""

    def __init__(self, scope: Scope, members: Sequence[Derivative]) -> None:
        self._scope = scope
        self._members = {id(node): node for node in members}
        self._directions: dict[Direction, int] = {}
        self._operators = {id(node): [self._operator(node, terms) for terms in requests(node)] for node in members}
        self._level = self._levels(members)
        self._target_level = {id(node.target): self._level[id(node)] for node in members}
        self._wanted: dict[int, set[Operator]] = {id(node.target): {IDENTITY} for node in members}
        for node in members:
            self._wanted[id(node.target)].update(self._operators[id(node)])
        self._read: dict[tuple[int, int], set[int]] = {}
        """Level and what it reads of earlier ones → positions of the parts it needs of that."""
        self._done: dict[int, tuple[Differentiated, int, Value]] = {}

    def _operator(self, node: Derivative, terms: Sequence[tuple[float, tuple[Any, ...]]]) -> Operator:
        """A weighted sum of derivatives; those by something the target does not depend on are zero."""
        found: dict[tuple[int, ...], float] = {}
        for weight, factors in terms:
            directions = [direction_of(variable) for variable in factors]
            if any(target_of(node, node.target, direction, self._scope) is None for direction in directions):
                continue
            monomial = tuple(sorted(self._directions.setdefault(d, len(self._directions)) for d in directions))
            found[monomial] = found.get(monomial, 0.0) + weight
        return operator(found)

    # --- levels ---------------------------------------------------------------------------------------------------
    def _levels(self, members: Sequence[Derivative]) -> dict[int, int]:
        levels: dict[int, int] = {}
        for node in members:
            inner = [known for known in self._frontier(node.target, set()) if id(known) in self._members]
            levels[id(node)] = 1 + max((levels[id(known)] for known in inner), default=0)
        return levels

    def _frontier(self, target: Node, targets: set[int]) -> list[Node]:
        """Derivatives of the group, and the given targets, that the value of ``target`` is computed from."""
        found: list[Node] = []
        seen: set[int] = set()
        stack = [target]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if id(node) in self._members or id(node) in targets:
                found.append(node)
            elif not node.binds:
                stack.extend(node.children())
        return found

    def run(self) -> None:
        """All levels, from the innermost targets outwards."""
        count = max(self._level.values())
        inputs = {level: self._inputs(level) for level in range(count, 0, -1)}
        for level in range(1, count + 1):
            self._run_level(level, inputs[level])
        for target, (result, output, value) in self._done.items():
            self._scope.seed(target, dataclasses.replace(value, array=result.jets[output].value))

    def _targets(self, level: int) -> list[Node]:
        targets = {id(node.target): node.target for node in self._members.values() if self._level[id(node)] == level}
        return list(targets.values())

    def _streams(self, level: int) -> Streams:
        """What a level carries; final once the levels above have said what they need."""
        return streams_for(op for target in self._targets(level) for op in self._wanted[id(target)])

    def _inputs(self, level: int) -> list[Node]:
        """What the targets of a level read of earlier levels; notes which derivatives they need of it."""
        earlier = {target for target, own in self._target_level.items() if own < level}
        streams = self._streams(level)
        found: dict[int, Node] = {}
        for target in self._targets(level):
            positions = streams.positions(streams.needed(self._wanted[id(target)]))
            for node in self._frontier(target, earlier):
                found[id(node)] = node
                self._read.setdefault((level, id(node)), {0}).update(positions)
        for number in found:
            needed = [streams.basis[position][0] for position in self._read[level, number]]
            if number in self._members:
                base = id(self._members[number].target)
                for own in self._operators[number]:
                    self._wanted[base].update(op.then(own) for op in needed)
            else:
                self._wanted[number].update(needed)
        return list(found.values())

    # --- evaluation -----------------------------------------------------------------------------------------------
    def _run_level(self, level: int, inputs: Sequence[Node]) -> None:
        targets = self._targets(level)
        wanted = [sorted(self._wanted[id(target)], key=lambda op: op.terms) for target in targets]
        streams = self._streams(level)
        seeds = self._seeds(streams)
        known = [self._known(node, streams, self._read[level, id(node)]) for node in inputs]
        values: list[Value] = []

        def function(*arrays: Any) -> list[Any]:
            moved = dict(zip(seeds, arrays, strict=False))
            child = self._scope.sealed().rebind(
                points={tag: array for (tag, temporal), array in moved.items() if not temporal},
                times={tag: array for (tag, temporal), array in moved.items() if temporal},
                derives=True,
            )
            for node, (value, _), array in zip(inputs, known, arrays[len(seeds) :], strict=True):
                child.seed(id(node), dataclasses.replace(value, array=array))
            found = child.values(targets)
            values[:] = [dataclasses.replace(value, array=None) for value in found]
            return [value.array for value in found]

        result = differentiate(function, [*seeds.values(), *(jet for _, jet in known)], streams, wanted)
        self._report(level, targets, wanted, result)
        for output, (target, value) in enumerate(zip(targets, values, strict=True)):
            self._done[id(target)] = (result, output, value)
        for node in self._members.values():
            if self._level[id(node)] == level:
                self._scope.store(node, self._derived(node, IDENTITY))

    def _seeds(self, streams: Streams) -> dict[tuple[str, bool], Jet]:
        """Jets of the coordinates by (tag, whether they are times)."""
        tangents: dict[tuple[str, bool], dict[int, Any]] = {}
        arrays: dict[tuple[str, bool], Any] = {}
        for direction, number in self._directions.items():
            place = (direction.tag, direction.temporal)
            arrays[place] = direction.coordinates(self._scope)
            tangents.setdefault(place, {})[number] = direction.tangent(self._scope)
        return {place: seed(arrays[place], tangents[place], streams) for place in arrays}

    def _known(self, node: Node, streams: Streams, needed: set[int]) -> tuple[Value, Jet]:
        """Value and jet of something an earlier level computed, without the parts that only others need."""
        value = self._derived(node, IDENTITY)
        parts = {
            position: self._derived(node, streams.basis[position][0]).array
            for position in sorted(needed)
            if position > 0
        }
        return dataclasses.replace(value, array=None), jet_of(value.array, parts, streams)

    def _derived(self, node: Node, outer: Operator) -> Value:
        """``outer`` of a derivative of the group, or of a target."""
        if id(node) not in self._members:
            result, output, value = self._done[id(node)]
            return dataclasses.replace(value, array=result.read(output, outer))
        member = self._members[id(node)]
        result, output, value = self._done[id(member.target)]
        operators = [outer.then(op) for op in self._operators[id(node)]]
        if isinstance(member, Jacobian) and len(operators) > 1:
            return gradient(result.read_stacked(output, operators), value)
        return assembled(member, [result.read(output, op) for op in operators], value)

    def _report(self, level: int, targets: Sequence[Node], wanted: Sequence[Any], result: Differentiated) -> None:
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
                    (title(target), tuple(op.name(symbols) for op in ops if op != IDENTITY))
                    for target, ops in zip(targets, wanted, strict=True)
                ),
                tuple(sorted(result.fallen_back)),
            )
        )
