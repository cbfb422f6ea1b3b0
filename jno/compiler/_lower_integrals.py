"""Rules of integrals over regions and over the time window."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jno.trace import Integral, IntegralTime, Node, Variable, substitute, walk

from ._graph import is_normal, point_tag, spatial_tags
from ._rules import lowers
from ._scope import Scope
from ._value import Value

_INNER = "@inner"
"""Suffix of the alias tag that holds quadrature points while the tag itself holds the outer point."""


@lowers(Integral, binds=True)
def integral(node: Integral, scope: Scope) -> Value:
    r"""Quadrature :math:`\sum_q w_q f(x_q)` over the region of the expression's variables."""
    if node.integration_var is None:
        tags = spatial_tags([node.target])
        return Value(_quadrature_sum(node.target, _only(tags, node), "", scope))
    return _outer_integral(node, node.integration_var, scope)


def _only(tags: tuple[str, ...], node: Node) -> str:
    if len(tags) == 1:
        return tags[0]
    if not tags:
        raise ValueError("integrate(): the expression has no spatial variable, so its region is unknown")
    raise ValueError(
        f"integrate(): the expression names several regions {list(tags)}; integrate each of them separately, or name "
        "the outer variable with integrate(var=x)"
    )


def _outer_integral(node: Integral, outer: Variable, scope: Scope) -> Value:
    inner = [v for v in walk([node.target]) if isinstance(v, Variable) and v.axis == "spatial" and not _same(v, outer)]
    if not inner:
        raise ValueError(
            f"integrate(var={outer!r}): there is no inner variable to integrate over; obtain one by another "
            "domain.variable(...) call"
        )
    tag = _only(tuple(dict.fromkeys(point_tag(v) for v in inner)), node)
    target = scope.setting.graph.intern(substitute(node.target, {id(v): _alias(v) for v in inner}))
    points = scope.bindings.points[outer.tag]

    def at(point: Any) -> Any:
        return _quadrature_sum(target, tag, _INNER, scope.rebind(points={outer.tag: point[None]}))

    return Value(jax.vmap(at)(points)[:, None], 0)


def _same(variable: Variable, outer: Variable) -> bool:
    return point_tag(variable) == outer.tag and variable.copy == outer.copy


def _alias(variable: Variable) -> Variable:
    if is_normal(variable):
        raise ValueError("integrate(var=x): normals of the inner region are not available in an outer integral")
    return Variable(variable.tag + _INNER, variable.dim, variable.domain, copy=variable.copy)


def _quadrature_sum(target: Node, tag: str, suffix: str, scope: Scope) -> Any:
    rule = scope.setting.domain.quadrature(tag)
    dtype = scope.bindings.points[tag].dtype
    rebound = {tag + suffix: jnp.asarray(rule.points, dtype=dtype)}
    if rule.normals is not None:
        rebound["n_" + tag + suffix] = jnp.asarray(rule.normals, dtype=dtype)
    value = scope.rebind(points=rebound).value(target).array
    if value.size == 1:
        value = jnp.broadcast_to(value.reshape(()), (rule.weights.size,))
    if value.shape not in ((rule.weights.size,), (rule.weights.size, 1)):
        raise ValueError(
            f"integrate(): the integrand must be one number per point, it has shape {tuple(value.shape)}; take a "
            "component or form the product with the normal first"
        )
    return jnp.dot(jnp.asarray(rule.weights, dtype=value.dtype), value.reshape(-1))


@lowers(IntegralTime, binds=True)
def integral_time(node: IntegralTime, scope: Scope) -> Value:
    """Trapezoidal rule over the window's time levels; zero for a window of one level."""
    window = scope.bindings.window
    if window is None:
        value = scope.value(node.target)
        return Value(jnp.zeros_like(value.array), value.point_axis)

    def at(level: Any) -> Value:
        return scope.detached(level).value(node.target)

    bindings, axes = window
    values = jax.vmap(at, in_axes=(axes,))(bindings)
    times = bindings.times[node.time_var.tag].reshape(-1)
    axis = values.point_axis
    return Value(jnp.trapezoid(values.array, times, axis=0), axis)
