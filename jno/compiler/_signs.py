"""Which expressions cannot be negative: the mean of any other array over points may fall without a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jno.trace import (
    AdaptiveWeight,
    BinaryOp,
    FunctionCall,
    GetItem,
    Literal,
    Node,
    Print,
    Reduction,
    Reshape,
    Tracker,
    UnaryOp,
    walk,
)

from ._leaf_data import Data
from ._program import Program

_NEVER_NEGATIVE = frozenset(
    (
        *(jnp.abs, jnp.square, jnp.sqrt, jnp.exp, jnp.exp2, jnp.cosh, jnp.arccos, jnp.arccosh),
        *(jnp.isfinite, jnp.isnan),
    )
)
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def signed_arrays(program: Program, shapes: dict[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """Positions and shapes of the expressions that are not scalars and whose values can be negative.

    Args:
        program: the expressions.
        shapes: per-sample shape of every node, by ``id``.
    """
    data = Data(program.context, program.domain.total_samples)
    arrays = {place: shapes[id(node)] for place, node in enumerate(program.expressions) if shapes[id(node)]}
    return {place: shape for place, shape in arrays.items() if not _never_negative(program.expressions[place], data)}


def _never_negative(root: Node, data: Data) -> bool:
    never_negative: dict[int, bool] = {}
    for node in walk([root]):
        never_negative[id(node)] = _sign(node, [never_negative[id(child)] for child in node.children()], data)
    return never_negative[id(root)]


def _sign(node: Node, below: list[bool], data: Data) -> bool:
    """Whether a node cannot be negative, if that is known of its children."""
    rule = _RULES.get(type(node))
    return _of_leaf(node, data) if rule is None else rule(node, below)


def _of_binary(node: BinaryOp, below: list[bool]) -> bool:
    left, right = below
    if node.op == "**":
        exponent: Any = node.right.value if isinstance(node.right, Literal) else 1
        even = np.ndim(exponent) == 0 and np.isrealobj(exponent) and exponent % 2 == 0
        return left or bool(even)
    if node.op == "*" and node.left is node.right:
        return True
    return node.op in _COMPARISONS or (node.op in ("+", "*", "/", "@") and left and right)


def _of_call(node: FunctionCall, below: list[bool]) -> bool:
    if node.fn is jnp.where:
        return all(below[1:])
    if node.fn is jnp.maximum:
        return any(below)
    if node.fn is jnp.minimum:
        return all(below)
    return node.title == "norm" or node.fn in _NEVER_NEGATIVE


_RULES: dict[type[Node], Callable[[Any, list[bool]], bool]] = {
    BinaryOp: _of_binary,
    FunctionCall: _of_call,
    Reduction: lambda node, below: node.op in ("mse", "mae", "std") or all(below),
    UnaryOp: lambda node, below: node.op == "abs" or (node.op != "negate" and all(below)),
    AdaptiveWeight: lambda node, below: True,
    **dict.fromkeys((GetItem, Reshape, Print, Tracker), lambda node, below: all(below)),
}
"""Whether a node cannot be negative, from whether its children cannot."""


def _of_leaf(node: Node, data: Data) -> bool:
    """Data, coordinates and numbers are what they are."""
    values: Any = data.rows(node) if not isinstance(node, Literal) else np.asarray(node.value)
    return values is not None and values.dtype.kind in "biuf" and bool((values >= 0).all())
