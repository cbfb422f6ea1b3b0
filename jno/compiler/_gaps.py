"""Which data can reach a value past the masks of an expression, and masks that keep gaps out of gradients too.

A gap is an entry of the data that is NaN or infinite.  A mask is written ``where(isfinite(d), u - d, 0)``.  Both
branches are computed, and what follows from the one not taken is multiplied by zero in the backward pass, which leaves
NaN.  So that branch reads a finite number in place of every gap: ``where(isfinite(d), u - where(isfinite(d), d, c),
0)`` has the same values and the right gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from jno.trace import (
    BinaryOp,
    Constant,
    FunctionCall,
    GetItem,
    Literal,
    Node,
    Print,
    TensorTag,
    Tracker,
    UnaryOp,
    Variable,
    as_node,
    walk,
)

from ._graph import Graph
from ._leaf_data import Data

Finite = frozenset[int]
"""Ids of the nodes that are finite at all entries that count."""

_NOTHING: Finite = frozenset()
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_ENTRYWISE = frozenset(
    (
        *(jnp.sin, jnp.cos, jnp.tan, jnp.arcsin, jnp.arccos, jnp.arctan, jnp.arctan2),
        *(jnp.sinh, jnp.cosh, jnp.tanh, jnp.arcsinh, jnp.arccosh, jnp.arctanh),
        *(jnp.exp, jnp.exp2, jnp.expm1, jnp.log, jnp.log2, jnp.log10, jnp.log1p, jnp.sqrt, jnp.cbrt, jnp.square),
        *(jnp.abs, jnp.sign, jnp.floor, jnp.ceil, jnp.round, jnp.power, jnp.maximum, jnp.minimum, jnp.where),
    )
)
_TESTS = (jnp.isfinite, jnp.isnan, jnp.nan_to_num)
"""Functions whose values are finite for all arguments."""


def is_test(node: Node) -> bool:
    """Whether a node asks which entries are finite, or makes all finite: gaps end there."""
    return isinstance(node, FunctionCall) and any(node.fn is test for test in _TESTS)


def is_where(node: Node) -> bool:
    """Whether a node is a choice between two branches."""
    return isinstance(node, FunctionCall) and node.fn is jnp.where and len(node.args) == 3


def is_entrywise(node: Node) -> bool:
    """Whether every entry of the value depends on entries at the same place only."""
    if isinstance(node, BinaryOp):
        return node.op != "@"
    if isinstance(node, UnaryOp):
        return node.op != "transpose"
    if isinstance(node, FunctionCall):
        return node.align == "broadcast" and node.fn in _ENTRYWISE
    return isinstance(node, Print | Tracker)


def on_branches(node: FunctionCall, data: Data) -> tuple[Finite, Finite]:
    """What is finite where the condition of a ``where`` holds, and where it does not."""
    condition = node.args[0]
    return _if_true(condition) | _by_entries(condition, node.args[1], data), _if_false(condition, data)


def _if_true(condition: Node) -> Finite:
    if isinstance(condition, BinaryOp) and condition.op == "*":
        return _if_true(condition.left) | _if_true(condition.right)
    asks = isinstance(condition, FunctionCall) and condition.fn is jnp.isfinite and _is_data(condition.args[0])
    return frozenset([id(condition.children()[0])]) if asks else _NOTHING


def _is_data(node: Node) -> bool:
    """Whether a node stands for data or entries of it; nothing may hide that a computed value is not finite."""
    while isinstance(node, GetItem):
        node = node.target
    return isinstance(node, TensorTag | Variable | Literal | Constant)


def _if_false(condition: Node, data: Data) -> Finite:
    if not isinstance(condition, FunctionCall) or condition.fn is not jnp.isnan:
        return _NOTHING
    (tested,) = condition.args
    rows = data.rows(tested)
    without_infinite = rows is not None and bool((data.is_finite(tested) | np.isnan(rows)).all())
    return frozenset([id(tested)]) if without_infinite else _NOTHING


def _by_entries(condition: Node, branch: Node, data: Data) -> Finite:
    """The data that is finite wherever a condition holds whose values are known."""
    mask = _mask(condition, data)
    if mask is None or mask.ndim == 0:
        return _NOTHING
    leaves = [leaf for leaf in walk([branch]) if data.rows(leaf) is not None]
    tests = [(leaf, data.is_finite(leaf)) for leaf in leaves]
    return frozenset(id(leaf) for leaf, test in tests if test.shape[1:] == mask.shape and test[:, mask].all())


def _mask(condition: Node, data: Data) -> Bool[np.ndarray, ...] | None:
    """The values of a condition that are the same for all samples and levels."""
    if isinstance(condition, BinaryOp) and condition.op == "*":
        left, right = _mask(condition.left, data), _mask(condition.right, data)
        return None if left is None or right is None or left.shape != right.shape else left & right
    asks = isinstance(condition, FunctionCall) and condition.fn is jnp.isfinite
    (tested,) = condition.children() if asks else (condition,)
    rows = data.rows(tested)
    if rows is None or len(rows) > 1 or not (asks or rows.dtype == bool):
        return None
    return data.is_finite(tested)[0] if asks else rows[0]


def exposed(root: Node, data: Data) -> list[Node]:
    """The data, and entries of data, whose gaps, if there are any, can reach the value of an interned expression."""
    leaves: dict[int, Node] = {}
    stack: list[tuple[Node, Finite]] = [(root, _NOTHING)]
    seen: set[tuple[int, Finite]] = set()
    while stack:
        node, finite = stack.pop()
        if (id(node), finite) in seen or id(node) in finite or is_test(node):
            continue
        seen.add((id(node), finite))
        if not node.children() or data.rows(node) is not None:
            leaves.setdefault(id(node), node)
        else:
            stack.extend(_below(node, finite, data))
    return list(leaves.values())


def _below(node: Node, finite: Finite, data: Data) -> list[tuple[Node, Finite]]:
    """The children of a node, each with what is known to be finite there."""
    if not is_entrywise(node):
        return [(child, _NOTHING) for child in node.children()]
    if isinstance(node, FunctionCall) and is_where(node):
        parts = zip(node.args, (_NOTHING, *on_branches(node, data)), strict=True)
        return [(child, finite | more) for child, more in parts]
    if isinstance(node, BinaryOp) and node.op == "*":
        # a comparison with NaN is false, and so is its product with the mask
        sides = ((node.left, node.right), (node.right, node.left))
        return [(side, finite | _if_true(mask) if _is_comparison(side) else finite) for side, mask in sides]
    return [(child, finite) for child in node.children()]


def _is_comparison(node: Node) -> bool:
    return isinstance(node, BinaryOp) and node.op in _COMPARISONS


def without_gaps(roots: Sequence[Node], data: Data, graph: Graph) -> list[Any]:
    """The same expressions, in which branches that a mask does not take read finite numbers in place of gaps."""
    nodes = list(walk(roots))
    if not any(is_where(node) for node in nodes):
        return list(roots)
    done: dict[int, Any] = {}
    for node in nodes:
        rebuilt = graph.intern(node.with_children(tuple(done[id(child)] for child in node.children())))
        if is_where(rebuilt):
            condition, *branches = rebuilt.args
            finite_ids = on_branches(rebuilt, data)
            filled = [_filled(branch, finite, data) for branch, finite in zip(branches, finite_ids, strict=True)]
            rebuilt = graph.intern(rebuilt.with_children((condition, *filled)))
        done[id(node)] = rebuilt
    return [done[id(root)] for root in roots]


def _filled(branch: Node, finite: Finite, data: Data) -> Node:
    """The branch with ``where(isfinite(d), d, c)`` in place of the masked data ``d`` that it reads entry by entry."""
    if not finite or id(branch) in finite:
        return branch
    done: dict[int, Node] = {}
    stack = [(branch, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            done[id(node)] = node.with_children(tuple(done[id(child)] for child in node.children()))
        elif id(node) in done:
            continue
        elif id(node) in finite:
            test = FunctionCall(jnp.isfinite, [node], "isfinite", align="broadcast")
            done[id(node)] = FunctionCall(jnp.where, [test, node, _stand_in(node, data)], "where", align="broadcast")
        elif is_test(node) or not is_entrywise(node) or (is_where(node) and id(node.children()[1]) in finite):
            done[id(node)] = node
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in node.children())
    return done[id(branch)]


def _stand_in(node: Node, data: Data) -> Node:
    """A number of the data: the expression is defined for it, which zero does not promise."""
    rows = data.rows(node)
    entries = np.ones(1) if rows is None else rows[data.is_finite(node)]
    return as_node(entries[0].item() if entries.size else 1.0)
