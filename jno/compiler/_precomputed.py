"""What was computed before the steps of training: arrays beside those of the data, and how an evaluation reads them.

They are entries of a program's data like any other, ``(B, T, ...)`` or shorter where samples or levels share them, so
mini-batches, windows of time levels, blocks of points and devices treat them as they treat data.  An evaluation whose
data lacks them computes what they stand for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import jax
from jaxtyping import Array

from jno.trace import Node, walk

from ._data import Entry
from ._expansions import Basis, Expansion, Known, Reader
from ._facts import PointTags
from ._types import Arrays, Name
from ._value import Value

PRECOMPUTED = "precomputed"
"""Kind of these arrays; in place of a tag they have the number of the expression and of its derivative."""

Values = Mapping[int, Known]
"""Id of a node → what is known of it."""


@dataclasses.dataclass(frozen=True, eq=False)
class PrecomputedExpression:
    """One fixed expression.

    Attributes:
        node: the canonical node.
        value: where the array of its value belongs, without the array.
        basis: which derivatives are known.
        names: entry of the data by position in the basis, position 0 being the value; derivatives without are zero.
        over_points: whether the first axis of the value runs over the points.
        points: the points it depends on with their number, of a value over points those it runs over.
    """

    node: Node
    value: Value
    basis: Basis
    names: Mapping[int, Name]
    over_points: bool
    points: Mapping[Name, int]

    def fits(self, arrays: Arrays) -> bool:
        """Whether the arrays at one sample and level hold it, at as many points as they have.

        Where they have some of the points only, a value over all points does not fit, nor does a reduction.
        """
        if self.names[0] not in arrays:
            return False
        value = arrays[self.names[0]]
        counts = {name: value.shape[0] if self.over_points else count for name, count in self.points.items()}
        return all(arrays[name].shape[0] == count for name, count in counts.items() if name in arrays)

    def titles(self) -> list[str]:
        """What is stored, for reading: the value, then derivatives."""
        symbols = [str(direction) for direction in self.basis.directions]
        operators = [op for op, _ in self.basis.streams.basis]
        return ["value" if i == 0 else operators[i].name(symbols) for i in sorted(self.names)]

    def is_pointwise(self, point_tags: PointTags) -> bool:
        """Whether the value at a point follows from that point alone."""
        return self.value.point_axis == 0 and point_tags[id(self.node)] is not None

    def expansion(self, arrays: Arrays) -> Expansion:
        """The expression at one sample and level, from its arrays there."""
        parts = {position: arrays[name] for position, name in self.names.items()}
        return Expansion(dataclasses.replace(self.value, array=parts.pop(0)), self.basis, parts)


@dataclasses.dataclass(frozen=True, eq=False)
class Precomputed:
    """Fixed expressions of a program.

    Attributes:
        expressions: what is computed once.
        entries: layout of the arrays.
        compute: the arrays from the program's data; compiled.
        read: names of the data they follow from.
        nbytes: their size.
    """

    expressions: tuple[PrecomputedExpression, ...]
    entries: Mapping[Name, Entry]
    compute: Callable[[Arrays], dict[Name, Array]]
    read: frozenset[Name]
    nbytes: int

    def shapes(self, data: Mapping[Name, jax.ShapeDtypeStruct]) -> dict[Name, jax.ShapeDtypeStruct]:
        """Shapes and types of the arrays, from those of the data."""
        return jax.eval_shape(self.compute, data) if self.expressions else {}

    def refreshed(self, data: Arrays, replaced: Collection[Name]) -> dict[Name, Array]:
        """New arrays, where some of the data was replaced that they follow from, and all of that is there."""
        return self.compute(data) if self.read & set(replaced) and self.read <= set(data) else {}

    def entries_of(self, nodes: Iterable[Node]) -> dict[Name, Entry]:
        """The entries of those expressions that are among some nodes."""
        ids = {id(node) for node in nodes}
        read = [expression for expression in self.expressions if id(expression.node) in ids]
        return {name: self.entries[name] for expression in read for name in expression.names.values()}

    def known(self, arrays: Arrays) -> Values:
        """What is known at one sample and level, from the arrays there; nothing of what has none that fit."""
        return {
            id(expression.node): expression.expansion(arrays)
            for expression in self.expressions
            if expression.fits(arrays)
        }

    def pointwise_below(self, nodes: Sequence[Node], point_tags: PointTags) -> set[Name]:
        """The entries of those expressions below some nodes whose value at a point follows from that point alone."""
        ids = {id(node) for node in walk(nodes)}
        read = [e for e in self.expressions if id(e.node) in ids and e.is_pointwise(point_tags)]
        return {name for expression in read for name in expression.names.values()}

    def over_points(self, name: Name, tags: Collection[str] | None = None) -> bool:
        """Whether the third axis of an array runs over points (of some tags)."""
        expression = self.expressions[int(name[1].split(".")[0])]
        return expression.over_points and (tags is None or any(tag in tags for _, tag in expression.points))


NOTHING = Precomputed((), {}, lambda data: {}, frozenset(), 0)


def name_of(number: int, position: int) -> Name:
    """The entry of a derivative, by the number of the expression and the position in its basis."""
    return PRECOMPUTED, f"{number}.{position}"


@dataclasses.dataclass
class Notes:
    """What an evaluation reads of some expressions, noted while it is traced."""

    nodes: tuple[Node, ...]
    readers: dict[int, Reader] = dataclasses.field(default_factory=dict)
    shapes: dict[int, jax.ShapeDtypeStruct] = dataclasses.field(default_factory=dict)

    def readers_of(self, values: Sequence[Value]) -> Mapping[int, Known]:
        """What stands for the expressions in an evaluation, without their arrays, which must not outlive the trace."""
        for node, value in zip(self.nodes, values, strict=True):
            self.readers.setdefault(id(node), Reader(dataclasses.replace(value, array=None)))
            aval = jax.typeof(value.array)
            self.shapes[id(node)] = jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)
        return self.readers
