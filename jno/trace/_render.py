"""Text of expressions: one line for `repr`, a tree for `print_tree`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._adaptive import AdaptiveWeight
from ._choice import Choice
from ._derivatives import DerivativeSum, Hessian, Jacobian, NetworkGradient
from ._evaluated_at import EvaluatedAt
from ._integrals import Integral, IntegralTime
from ._leaves import Constant, Literal, Noise, TensorTag, Variable
from ._model import ModelCall
from ._node import Node
from ._operations import BinaryOp, FunctionCall, GetItem, Print, Reduction, Reshape, Tracker, UnaryOp

_MAX_REPR = 120


def title(node: Node) -> str:
    """What the node itself does, without its children."""
    return _TITLES[type(node)](node) if type(node) in _TITLES else type(node).__name__


def render(node: Any) -> str:
    """Short one-line form ``Title(children)``; deep expressions are cut."""
    children = node.children()
    if not children:
        return title(node)
    inner = ", ".join(title(child) + ("(…)" if child.children() else "") for child in children)
    text = f"{title(node)}({inner})"
    return text if len(text) <= _MAX_REPR else text[: _MAX_REPR - 1] + "…"


def dump_tree(root: Any, annotate: Callable[[Node], str] | None = None) -> str:
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


def _literal(node: Literal | Constant) -> str:
    shape = tuple(node.value.shape) if not isinstance(node.value, bool | int | float | complex) else ()
    return f"{node.value!r}" if shape == () else f"array{shape}"


_TITLES: dict[type, Callable[[Any], str]] = {
    Variable: repr,
    TensorTag: lambda n: f"Tensor({n.tag}{'' if n.dim_index is None else f'[{n.dim_index}]'})",
    Literal: _literal,
    Constant: lambda n: f"{n.tag}={_literal(n)}",
    Noise: lambda n: f"Noise[{n.distribution}]",
    BinaryOp: lambda n: n.op,
    UnaryOp: lambda n: n.op,
    Reduction: lambda n: n.op,
    GetItem: lambda n: "[" + ", ".join(_index_text(i) for i in n.index) + "]",
    Reshape: lambda n: f"reshape{n.new_shape}",
    FunctionCall: lambda n: n.title,
    ModelCall: lambda n: n.model.model_key,
    Jacobian: lambda n: "grad" if len(n.variables) > 1 else "d",
    Hessian: lambda n: "laplacian" if n.trace else "hessian",
    DerivativeSum: lambda n: "derivatives",
    EvaluatedAt: lambda n: "at",
    NetworkGradient: lambda n: f"grad[{n.model.model_key}]",
    Integral: lambda n: "Integral",
    IntegralTime: lambda n: "IntegralTime",
    AdaptiveWeight: lambda n: f"{type(n.balanced.rule).__name__}[{n.index}]",
    Choice: lambda n: f"choice[{n.dimension}]",
    Print: lambda n: f"print[{n.what if isinstance(n.what, str) else 'callable'}]",
    Tracker: lambda n: f"tracker[{n.interval}]",
}


def _index_text(entry: Any) -> str:
    if isinstance(entry, slice):
        bounds = [entry.start, entry.stop] + ([entry.step] if entry.step is not None else [])
        return ":".join("" if b is None else str(b) for b in bounds)
    return "..." if entry is Ellipsis else str(entry)
