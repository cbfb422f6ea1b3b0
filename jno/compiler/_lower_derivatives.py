"""Rules of derivatives with respect to coordinates whose computation a scheme string or a configured mode forces."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from jno.trace import DerivativeSum, Hessian, Jacobian, Node
from jno.utils.ad_mode import parse_ad_scheme, parse_hessian_scheme

from ._directional import Direction, derivative, direction_of, target_of
from ._finite_difference import fd_gradient, fd_hessian, fd_laplacian
from ._requests import assembled, requests
from ._rules import lowers
from ._scope import Scope
from ._value import Value


@lowers(Jacobian)
def jacobian(node: Jacobian, scope: Scope) -> Value:
    """One variable: shape of the target; several: one more trailing axis (a scalar's own axis is dropped)."""
    if node.is_finite_difference:
        columns = [fd_gradient(node, variable, scope) for variable in node.variables]
    else:
        mode = parse_ad_scheme(node.scheme)
        columns = [_first(node, direction_of(variable), mode, scope) for variable in node.variables]
    return assembled(node, [column.array for column in columns], columns[0])


@lowers(Hessian)
def hessian(node: Hessian, scope: Scope) -> Value:
    """Sum of unmixed second derivatives, or the symmetric matrix of all of them."""
    if node.is_finite_difference:
        return fd_laplacian(node, scope) if node.trace else fd_hessian(node, scope)
    modes = parse_hessian_scheme(node.scheme)
    columns = []
    for terms in requests(node):
        parts = [_second(node, direction_of(x), direction_of(y), modes, scope) for _, (x, y) in terms]
        columns.append(sum((part.array for part in parts[1:]), parts[0].array))
        value = parts[0]
    return assembled(node, columns, value)


@lowers(DerivativeSum)
def derivative_sum(node: DerivativeSum, scope: Scope) -> Value:
    """Computed in a pass, always: no scheme applies to what the compiler itself has made."""
    raise NotImplementedError(f"{node!r} is computed in a derivative pass of its scope")


def _first(node: Jacobian, direction: Direction, mode: str, scope: Scope) -> Value:
    evaluate = target_of(node, node.target, direction, scope)
    if evaluate is None:
        return _zero(node.target, scope)
    return derivative(evaluate, direction, mode)(scope)


def _second(node: Hessian, inner: Direction, outer: Direction, modes: tuple[str, str], scope: Scope) -> Value:
    outer_mode, inner_mode = modes
    evaluate = target_of(node, node.target, inner, scope)
    if evaluate is None or target_of(node, node.target, outer, scope) is None:
        return _zero(node.target, scope)
    return derivative(derivative(evaluate, inner, inner_mode), outer, outer_mode)(scope)


def _zero(target: Node, scope: Scope) -> Value:
    value = scope.value(target)
    return dataclasses.replace(value, array=jnp.zeros_like(value.array))
