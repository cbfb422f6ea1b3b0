"""Rules of derivatives with respect to coordinates."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jno.trace import Hessian, Jacobian, Node

from ._directional import Direction, derivative, direction_of, first_mode, second_modes, target_of
from ._finite_difference import fd_gradient, fd_hessian, fd_laplacian, is_finite_difference
from ._rules import lowers
from ._scope import Scope
from ._value import Value


@lowers(Jacobian, binds=True)
def jacobian(node: Jacobian, scope: Scope) -> Value:
    """One variable: shape of the target; several: one more trailing axis (a scalar's own axis is dropped)."""
    if is_finite_difference(node.scheme):
        columns = [fd_gradient(node, variable, scope) for variable in node.variables]
    else:
        mode = first_mode(node.scheme)
        columns = [_first(node, direction_of(variable), mode, scope) for variable in node.variables]
    return columns[0] if len(columns) == 1 else stack_components(columns)


@lowers(Hessian, binds=True)
def hessian(node: Hessian, scope: Scope) -> Value:
    """Sum of unmixed second derivatives, or the symmetric matrix of all of them."""
    if is_finite_difference(node.scheme):
        return fd_laplacian(node, scope) if node.trace else fd_hessian(node, scope)
    modes = second_modes(node.scheme)
    directions = [direction_of(variable) for variable in node.variables]
    if node.trace:
        terms = [_second(node, direction, direction, modes, scope) for direction in directions]
        total = terms[0].array
        for term in terms[1:]:
            total = total + term.array
        return Value(total, terms[0].point_axis)
    size = len(directions)
    upper = {
        (i, j): _second(node, directions[i], directions[j], modes, scope) for i in range(size) for j in range(i, size)
    }
    rows = [stack_components([upper[min(i, j), max(i, j)] for j in range(size)], keep=True) for i in range(size)]
    return stack_rows(rows)


def _first(node: Jacobian, direction: Direction, mode: str, scope: Scope) -> Value:
    evaluate = target_of(node, node.target, direction, scope)
    if evaluate is None:
        return _zero(node.target, scope)
    return derivative(evaluate, direction, mode)(scope)


def _second(node: Hessian, first: Direction, second: Direction, modes: tuple[str, str], scope: Scope) -> Value:
    outer, inner = modes
    evaluate = target_of(node, node.target, first, scope)
    if evaluate is None or target_of(node, node.target, second, scope) is None:
        return _zero(node.target, scope)
    return derivative(derivative(evaluate, first, inner), second, outer)(scope)


def _zero(target: Node, scope: Scope) -> Value:
    value = scope.value(target)
    return Value(jnp.zeros_like(value.array), value.point_axis)


def _components(value: Value) -> Any:
    """A scalar ``(N, 1)`` as ``(N,)``: the derivative axis takes the place of its own axis."""
    array = value.array
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def stack_components(columns: list[Value], keep: bool = False) -> Value:
    """Stack derivatives along a new last axis; a single column is kept as an axis when ``keep``."""
    arrays = jnp.broadcast_arrays(*(_components(column) for column in columns))
    if len(arrays) == 1 and not keep:
        return columns[0]
    return Value(jnp.stack(arrays, axis=-1), columns[0].point_axis)


def stack_rows(rows: list[Value]) -> Value:
    """Rows ``(N[, D], k)`` of a Hessian to ``(N[, D], k, k)``."""
    arrays = jnp.broadcast_arrays(*(row.array for row in rows))
    return Value(jnp.stack(arrays, axis=-2), rows[0].point_axis)
