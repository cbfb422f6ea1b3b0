"""Expressions as flat lists, so that files hold graphs of any depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._node import Node
from ._walk import walk

Record = tuple[type, dict[str, Any], tuple[int, ...]]


def flatten(roots: Sequence[Node]) -> tuple[list[Record], list[int]]:
    """Records ``(type, fields without children, indices of the children)``, children first, and the roots' indices."""
    positions: dict[int, int] = {}
    records: list[Record] = []
    for node in walk(roots):
        fields = {name: value for name, value in node.__dict__.items() if name not in node.child_fields}
        shape = {name: _arity(node.__dict__[name]) for name in node.child_fields}
        positions[id(node)] = len(records)
        children = tuple(positions[id(child)] for child in node.children())
        records.append((type(node), {"fields": fields, "arity": shape}, children))
    return records, [positions[id(root)] for root in roots]


def unflatten(records: Sequence[Record], roots: Sequence[int]) -> list[Any]:
    """The nodes that `flatten` took apart; shared nodes stay shared."""
    nodes: list[Any] = []
    for kind, content, children in records:
        node: Any = object.__new__(kind)
        remaining = [nodes[index] for index in children]
        node.__dict__.update(content["fields"])
        for name, arity in content["arity"].items():
            taken = remaining[: 1 if arity is True else arity or 0]
            del remaining[: len(taken)]
            node.__dict__[name] = tuple(taken) if arity is not True and arity is not None else (taken or [None])[0]
        nodes.append(node)
    return [nodes[index] for index in roots]


def _arity(value: object) -> int | bool | None:
    """Number of children in a tuple, ``True`` for a single child, ``None`` for none."""
    if isinstance(value, tuple):
        return len(value)
    return None if value is None else True
