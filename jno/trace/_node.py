"""What every node of the trace has: children, static fields, metadata."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar


@dataclasses.dataclass
class Metadata:
    """Annotations outside structural identity: two nodes that differ only here are the same computation."""

    label: str | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Node:
    """An immutable graph node; compared and hashed by identity (structure is the compiler's business)."""

    child_fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold a node or a tuple of nodes; every other field is static."""

    metadata: Metadata = dataclasses.field(default_factory=Metadata, init=False)

    def children(self) -> tuple[Any, ...]:
        """All child nodes, in field order."""
        found: list[Any] = []
        for name in self.child_fields:
            value = self.__dict__[name]
            if isinstance(value, tuple):
                found.extend(value)
            elif value is not None:
                found.append(value)
        return tuple(found)

    def static_fields(self) -> tuple[tuple[str, Any], ...]:
        """``(name, value)`` of every field that is neither a child nor metadata."""
        return tuple(
            (f.name, self.__dict__[f.name])
            for f in dataclasses.fields(self)
            if f.name not in self.child_fields and f.name != "metadata"
        )

    def with_children(self, children: tuple[Any, ...]) -> Any:
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
