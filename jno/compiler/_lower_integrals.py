"""Rule of integrals over regions."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from jno.trace import (
    BinaryOp,
    Integral,
    Node,
    Variable,
    free_variables,
    is_normal,
    point_tag,
    same_point,
    substitute,
    walk,
)

from ._kernels import COMPARISONS, INNER, over_outer_points
from ._regions import free_points, only_region
from ._row_quadrature import RowRule
from ._rules import lowers
from ._scope import Scope
from ._value import Value


@lowers(Integral)
def integral(node: Integral, scope: Scope) -> Value:
    r"""Quadrature :math:`\sum_q w_q f(x_q)` over the region of the expression's variables."""
    if node.integration_var is not None:
        return _kernel_integral(node.target, node.integration_var, scope)
    variables = free_points(node.target) or _spatial_variables(node.target)
    inner, rule = _at_quadrature_points(variables, scope)
    return Value(_weighted_sum(node.target, rule, inner))


def _kernel_integral(kernel: Node, outer: Variable, scope: Scope) -> Value:
    """One integral over the inner variables for every outer point: ``(N, 1)``."""
    inner = [variable for variable in free_points(kernel) if not same_point(variable, outer)]
    if not inner:
        raise ValueError(
            f"integrate(var={outer!r}): there is no inner variable to integrate over; obtain one by another "
            "domain.variable(...) call"
        )
    aliases = _aliases(inner, kernel, scope)
    target = scope.setting.graph.intern(substitute(kernel, aliases))
    quadrature, rule = _at_quadrature_points(list(aliases.values()), scope)
    if scope.differentiates(outer.tag):
        _refuse_moving_bounds(target, quadrature.rebound, outer.tag)
    names = {outer.tag} | {v.tag for v in _spatial_variables(target) if same_point(v, outer)}
    names |= {point_tag(v) for v in (outer, *_spatial_variables(target)) if v.tag in names}

    def at(point: Scope) -> Array:
        return _weighted_sum(target, rule, point)

    size = rule.weights.shape[0]
    values = over_outer_points(at, target, names, size, scope, quadrature)[:, None]
    return Value(values, 0, point_set=scope.setting.pairings.point_set(outer))


def _refuse_moving_bounds(kernel: Node, inner: frozenset[str], outer: str) -> None:
    """Refuse to differentiate by the outer point what jumps where the inner point meets it: the jump has a term too."""
    for node in walk([kernel]):
        if isinstance(node, BinaryOp) and node.op in COMPARISONS:
            tags = {variable.tag for variable in free_variables(node)}
            if outer in tags and tags & inner:
                raise ValueError(
                    f"the derivative by the outer point of an integral whose integrand compares both points ({node!r}) "
                    "has a term at the jump, which differentiating the integrand misses; write it by Leibniz' rule"
                )


def _spatial_variables(target: Node) -> list[Variable]:
    return [node for node in walk([target]) if isinstance(node, Variable) and node.at_points]


def _aliases(inner: Sequence[Variable], kernel: Node, scope: Scope) -> dict[int, Variable]:
    """The inner variables under tags that nothing else uses."""
    taken = {variable.tag for variable in _spatial_variables(kernel)} | set(scope.bindings.points)
    suffix = INNER
    while any(variable.tag + suffix in taken for variable in inner):
        suffix += INNER
    return {id(v): Variable(v.tag + suffix, v.dim, v.domain, copy=v.copy) for v in inner}


def _at_quadrature_points(variables: Sequence[Variable], scope: Scope) -> tuple[Scope, RowRule]:
    """The scope with the region's quadrature points (and their normals and mesh nodes) under the variables' tags."""
    region = only_region(variables)
    dtype = jnp.result_type(*(array.dtype for array in scope.bindings.points.values()))
    rule = scope.setting.quadratures.rule(region, dtype, scope.bindings.geometry)
    tags = {point_tag(variable) for variable in variables}
    points = dict.fromkeys(tags, rule.points)
    if rule.normals is not None:
        points |= {variable.tag: rule.normals for variable in variables if is_normal(variable)}
        points |= {f"n_{tag}": rule.normals for tag in tags}
    nearest = dict.fromkeys(tags, rule.nodes)
    return scope.rebind(points=points, nearest=nearest, padded=rule.padded), rule


def _weighted_sum(target: Node, rule: RowRule, scope: Scope) -> Shaped[Array, ""]:
    value = scope.value(target).array
    count = rule.weights.shape[0]
    if value.size == 1:
        value = jnp.broadcast_to(value.reshape(()), (count,))
    if value.shape not in ((count,), (count, 1)):
        raise ValueError(
            f"integrate(): the integrand must be one number per point, it has shape {tuple(value.shape)}; take a "
            "component or form the product with the normal first"
        )
    # A sum, not a dot product: accelerators multiply matrices in reduced precision.
    return jnp.sum(rule.weights * value.reshape(-1))
