"""The constant-coefficient operators a derivative node stands for, and how its value is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from jno.trace import Derivative, DerivativeSum, Hessian, Jacobian, Node, Variable
from jno.utils.ad_mode import AUTOMATIC, configured_ad_mode, configured_hessian_mode

from ._value import Value

Factors = tuple[Variable, ...]
"""Variables that are differentiated by, one after the other."""


def is_planned(node: Node) -> bool:
    """Whether the compiler chooses how a derivative is computed: plain scheme, no mode configured."""
    if isinstance(node, Jacobian):
        return node.scheme == AUTOMATIC and configured_ad_mode() is None
    if isinstance(node, Hessian):
        return node.scheme == AUTOMATIC and configured_hessian_mode() is None
    return isinstance(node, DerivativeSum)


def requests(node: Derivative) -> list[list[tuple[float, Factors]]]:
    """The derivatives a node is made of, each a weighted sum: one per variable, or per entry of half a matrix."""
    if isinstance(node, Jacobian):
        return [[(1.0, (variable,))] for variable in node.variables]
    if isinstance(node, Hessian) and not node.trace:
        return [[(1.0, (node.variables[i], node.variables[j]))] for i, j in upper(len(node.variables))]
    if isinstance(node, Hessian):
        return [[(1.0, (variable, variable)) for variable in node.variables]]
    assert isinstance(node, DerivativeSum)
    return [[(weight, tuple(node.variables[place] for place in places)) for weight, places in node.terms]]


def scalar_terms(node: Derivative) -> list[tuple[float, Factors]] | None:
    """The weighted sum a node of its target's shape stands for; ``None`` for gradients and matrices."""
    sums = requests(node)
    matrix = isinstance(node, Hessian) and not node.trace
    return sums[0] if len(sums) == 1 and not matrix else None


def upper(size: int) -> list[tuple[int, int]]:
    """Places on and above the diagonal of a symmetric matrix."""
    return [(i, j) for i in range(size) for j in range(i, size)]


def assembled(node: Derivative, columns: Sequence[Shaped[Array, ...]], target: Value) -> Value:
    """The node's value from its derivatives, arrays of the shape of the target's value."""
    if isinstance(node, Hessian) and not node.trace:
        return _symmetric(columns, len(node.variables), target)
    if len(columns) == 1:
        return replace(target, array=columns[0])
    return gradient(jnp.stack(jnp.broadcast_arrays(*columns), axis=-1), target)


def gradient(stacked: Shaped[Array, "... k"], target: Value) -> Value:
    """Derivatives along the last axis; a scalar ``(N, 1, k)`` gives its own axis away."""
    scalar = stacked.ndim == 3 and stacked.shape[1] == 1
    return replace(target, array=stacked[:, 0] if scalar else stacked)


def _symmetric(entries: Sequence[Array], size: int, target: Value) -> Value:
    """Matrix ``(N[, D], k, k)`` from its entries on and above the diagonal, row by row."""
    places = {place: number for number, place in enumerate(upper(size))}
    order = [places[min(i, j), max(i, j)] for i in range(size) for j in range(size)]
    stacked = gradient(jnp.stack(jnp.broadcast_arrays(*entries), axis=-1), target).array
    return replace(target, array=stacked[..., jnp.asarray(order)].reshape(*stacked.shape[:-1], size, size))
