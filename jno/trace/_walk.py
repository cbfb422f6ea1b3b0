"""Iterative traversal: no recursion limit however long a sum gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ._node import Node


def walk(roots: Iterable[Node]) -> Iterator[Node]:
    """Every distinct node below ``roots``, children before parents, left to right."""
    seen: set[int] = set()
    for root in roots:
        stack: list[tuple[Node, bool]] = [(root, False)]
        while stack:
            node, expanded = stack.pop()
            if expanded:
                yield node
                continue
            if id(node) in seen:
                continue
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.children()))


def rewrite(root: Node, replace: Callable[[Node], Node]) -> Any:
    """Rebuild the graph bottom-up; ``replace`` receives each node after its children were rewritten."""
    done: dict[int, Node] = {}
    for node in walk([root]):
        rebuilt = node.with_children(tuple(done[id(child)] for child in node.children()))
        done[id(node)] = replace(rebuilt)
    return done[id(root)]
