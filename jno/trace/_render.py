"""Text of expressions: one line for `repr`, a tree for `print_tree`."""

from __future__ import annotations

from collections.abc import Callable

from ._node import Node

_MAX_REPR = 120


def title(node: Node) -> str:
    """What the node itself does, without its children."""
    return node.describe()


def render(node: Node) -> str:
    """Short one-line form ``Title(children)``; deep expressions are cut."""
    children = node.children()
    if not children:
        return title(node)
    inner = ", ".join(title(child) + ("(…)" if child.children() else "") for child in children)
    text = f"{title(node)}({inner})"
    return text if len(text) <= _MAX_REPR else text[: _MAX_REPR - 1] + "…"


def dump_tree(root: Node, annotate: Callable[[Node], str] | None = None) -> str:
    """Indented tree of an expression; repeated subtrees are shown once and referred to by number.

    Args:
        root: an expression.
        annotate: optional text per node (``print_shapes`` passes the shapes).

    Returns:
        the tree, one node a line.
    """
    lines: list[str] = []
    numbers: dict[int, int] = {}
    stack: list[tuple[Node, str, bool, bool]] = [(root, "", True, True)]
    while stack:
        node, prefix, is_last, is_root = stack.pop()
        branch = "" if is_root else ("└─ " if is_last else "├─ ")
        label = f" “{node.metadata.label}”" if node.metadata.label else ""
        note = f"  {annotate(node)}" if annotate else ""
        if id(node) in numbers and node.children():
            lines.append(f"{prefix}{branch}{title(node)}{label} → #{numbers[id(node)]}")
            continue
        numbers[id(node)] = len(numbers) + 1
        number = f"#{numbers[id(node)]} " if node.children() else ""
        lines.append(f"{prefix}{branch}{number}{title(node)}{label}{note}")
        below = prefix if is_root else prefix + ("   " if is_last else "│  ")
        children = node.children()
        for position in reversed(range(len(children))):
            stack.append((children[position], below, position == len(children) - 1, False))
    return "\n".join(lines)
