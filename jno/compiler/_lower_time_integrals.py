"""Rule of integrals over the time window, running ones and kernels of two times included."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.trace import BinaryOp, IntegralTime, Node, Variable, free_variables, rewrite, substitute, title, walk

from ._kernels import COMPARISONS, INNER
from ._rules import lowers
from ._scope import Bindings, NotPointwiseError, Scope
from ._value import Value


@lowers(IntegralTime)
def integral_time(node: IntegralTime, scope: Scope) -> Value:
    """Trapezoidal rule over the window's time levels; zero for a window of one level."""
    times_of_target = [v for v in free_variables(node.target) if v.axis == "temporal" and v.tag == node.time_var.tag]
    outer = [variable for variable in times_of_target if variable.copy != node.time_var.copy]
    if outer and len(outer) == len(times_of_target):
        raise ValueError(
            f"integrate(t): the time of {title(node.target)!r} comes from another domain.variable(...) call than that "
            "of integrate(...); use the time variable the integrand was built with"
        )
    window = scope.bindings.window
    if window is None and not outer:
        value = scope.value(node.target)
        return dataclasses.replace(value, array=jnp.zeros_like(value.array))
    if scope.setting.pointwise_only:
        raise NotPointwiseError(title(node))
    if outer or window is None:
        return _kernel(node, scope)
    times = _levels(node.time_var, window.bindings)

    def at(level: Bindings) -> Value:
        return scope.at(level).value(node.target)

    values = jax.vmap(at, in_axes=(window.axes,))(window.bindings)
    return dataclasses.replace(values, array=jnp.trapezoid(values.array, times, axis=0))


def _levels(variable: Variable, bindings: Bindings) -> Float[Array, " W"]:
    times = bindings.times[variable.tag].reshape(-1)
    if times.size == 1:
        raise ValueError(
            f"integrate(t): the time of {variable.tag!r} is fixed at one level; use the time variable of points "
            "that exist at all levels"
        )
    return times


def _kernel(node: IntegralTime, scope: Scope) -> Value:
    """One integral over the inner time at the level's own time.

    Where the integrand compares the two, it jumps at a level: every interval takes the limit from its own side there,
    which keeps the trapezoidal rule of second order in the step.
    """
    if scope.bindings.window is None or not scope.setting.all_levels:
        raise ValueError(
            f"{title(node.target)!r} is a kernel of two times, whose integral needs all time levels at once: "
            "give min_consecutive=None"
        )
    window = scope.bindings.window
    times = _levels(node.time_var, window.bindings)
    inner = _alias(node.time_var, scope)
    named = [leaf for leaf in walk([node.target]) if isinstance(leaf, Variable)]
    same = {id(v): inner for v in named if v.axis == "temporal" and (v.tag, v.copy) == _key(node.time_var)}
    target = substitute(node.target, same)
    _refuse_data_in_time(node, scope.setting.graph.tags(scope.setting.graph.intern(target)), window.axes)
    if _compares(target, inner):
        if scope.differentiates(node.time_var.tag):
            raise ValueError(
                "the derivative in time of an integral whose bounds depend on time (s < t) has a term at the bound, "
                "which differentiating the integrand misses; write it by Leibniz' rule: K(t, t) u(t) + the integral of "
                "K.d(t)"
            )
        limits = [_with_bounds(target, inner, below=below) for below in (True, False)]
    else:
        limits = [target, target]
    nodes = [scope.setting.graph.intern(limit) for limit in limits]

    def at(time: Float[Array, ""]) -> list[Value]:
        return scope.rebind(times={inner.tag: time.reshape(1, 1)}).values(nodes)

    below, above = jax.vmap(at)(times)
    steps = jnp.diff(times).reshape(-1, *(1,) * (below.array.ndim - 1))
    return dataclasses.replace(below, array=jnp.sum(steps * (above.array[:-1] + below.array[1:]) / 2, axis=0))


def _key(variable: Variable) -> tuple[str, int]:
    return variable.tag, variable.copy


def _alias(variable: Variable, scope: Scope) -> Variable:
    tag = variable.tag + INNER
    while tag in scope.bindings.times:
        tag += INNER
    return Variable(tag, variable.dim, variable.domain, "temporal", copy=variable.copy)


def _refuse_data_in_time(node: IntegralTime, tags: frozenset[str], axes: Bindings) -> None:
    for table in (axes.points, axes.tensors):
        for tag in sorted(tags & set(table)):
            if table[tag] is not None:
                raise ValueError(
                    f"{title(node.target)!r} is a kernel of two times and depends on the data {tag!r}, which has a row "
                    "for every time level: whether they belong to one time or to the other is not known"
                )


def _compares(target: Node, inner: Variable) -> bool:
    """Whether the integrand compares the inner time with the outer one.

    Raises:
        ValueError: a comparison of both that is not simply ``s < t``, so that the place of the jump is not known.
    """
    simple = False
    for node in walk([target]):
        if not isinstance(node, BinaryOp) or node.op not in (*COMPARISONS, "==", "!="):
            continue
        times = {v.tag for v in free_variables(node) if v.axis == "temporal"}
        if inner.tag not in times or len(times) == 1:
            continue
        if node.op not in COMPARISONS or not all(isinstance(side, Variable) for side in (node.left, node.right)):
            raise ValueError(
                f"the integrand of integrate(t) compares both times in {node!r}: write the comparison as s < t (or <=, "
                ">, >=) of the two time variables, so that the bound of the integral is known"
            )
        simple = True
    return simple


def _with_bounds(target: Node, inner: Variable, *, below: bool) -> Node:
    """The integrand with its limit from below (or above) in the inner time where both times are equal."""

    def replace(node: Node) -> Node:
        if not isinstance(node, BinaryOp) or node.op not in COMPARISONS:
            return node
        left, right = node.left, node.right
        if not isinstance(left, Variable) or not isinstance(right, Variable) or inner.tag not in (left.tag, right.tag):
            return node
        smaller = (node.op[0] == "<") == (left.tag == inner.tag)  # it holds for inner times before the outer one
        return BinaryOp(f"{node.op[0]}=" if smaller == below else node.op[0], left, right)

    return rewrite(target, replace)
