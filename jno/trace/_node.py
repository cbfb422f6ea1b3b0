"""What every node of the trace has: children, static fields, metadata, and the facts its class declares."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

_Node = TypeVar("_Node", bound="Node")


class Pointwise(enum.Enum):
    """Whether the value of a node at a point follows from the values of its children at that point alone."""

    YES = "yes"
    NO = "no"
    """It mixes, drops or reorders points: a reduction, a matrix product, an index that picks points."""
    BY_SHAPE = "by shape"
    """It acts on trailing axes, which are the points only where an operand has no components."""
    BY_MODEL = "by model"
    """Only a test of the network shows it."""
    BY_FUNCTION = "by function"
    """Only a test of the wrapped function shows it."""
    PER_SAMPLE = "per sample"
    """Not a function of its children's points: data, noise, an integral, something printed, once for each sample."""


@dataclasses.dataclass
class Metadata:
    """Annotations outside structural identity: two nodes that differ only here are the same computation."""

    label: str | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Node:
    """An immutable graph node; compared and hashed by identity (structure is the compiler's business)."""

    child_fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold a node or a tuple of nodes; every other field is static."""

    binds: ClassVar[bool] = False
    """Whether the children belong to other coordinates than the node's value (derivatives, integrals).

    The lowering rule of such a node evaluates them itself; every other rule gets their values.
    """

    metadata: Metadata = dataclasses.field(default_factory=Metadata, init=False)

    def describe(self) -> str:
        """What the node itself does, without its children: its title in trees and messages."""
        return type(self).__name__

    def pointwise(self) -> Pointwise:
        """Whether the value at a point follows from the children's values at that point."""
        return Pointwise.PER_SAMPLE

    def stops_gradient(self) -> bool:
        """Whether no gradient reaches the children."""
        return False

    def follows_from_data(self) -> bool:
        """Whether the value follows from the children's values and the arrays of the domain.

        It does not where weights, random numbers, what training computes, the time window or an effect take part.
        """
        return False

    def models(self) -> tuple[Any, ...]:
        """The models whose weights the node itself reads."""
        return ()

    def children(self) -> tuple[Any, ...]:
        """All child nodes, in field order."""
        nodes: list[Node] = []
        for name in self.child_fields:
            value = self.__dict__[name]
            if isinstance(value, tuple):
                nodes.extend(value)
            elif value is not None:
                nodes.append(value)
        return tuple(nodes)

    def static_fields(self) -> tuple[tuple[str, Any], ...]:
        """``(name, value)`` of every field that is neither a child nor metadata."""
        return tuple(
            (f.name, self.__dict__[f.name])
            for f in dataclasses.fields(self)
            if f.name not in self.child_fields and f.name != "metadata"
        )

    def with_children(self: _Node, children: Sequence[Node]) -> _Node:
        """The same node over other children; metadata is copied."""
        if all(new is old for new, old in zip(children, self.children(), strict=True)):
            return self
        remaining = list(children)
        changes: dict[str, Any] = {}
        for name in self.child_fields:
            value = self.__dict__[name]
            if isinstance(value, tuple):
                changes[name] = tuple(remaining[: len(value)])
                del remaining[: len(value)]
            elif value is not None:
                changes[name] = remaining.pop(0)
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__, metadata=dataclasses.replace(self.metadata), **changes)
        return new


def set_fields(node: Node, **fields: Any) -> None:
    """Fill the fields of a node whose constructor is written by hand."""
    node.__dict__.update(fields, metadata=Metadata())
