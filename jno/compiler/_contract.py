r"""Sums of products as matrix products.

Operator networks combine branch and trunk as :math:`\sum_p b_p\, t_{np}`, written ``sum(b * t, axis=-1)``.  Mapped over
samples this multiplies and adds a ``(B, N, P)`` array element by element; as a contraction it is one matrix product.
The pattern is replaced in the jaxpr of a network; measured on a DeepONet (32 × 861 points, 128 basis functions,
two CPU cores, with derivatives) the step is an order of magnitude faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex

from ._jax_versions import bind_equation


def contract_products(function: Callable[..., Any], inputs: list[Any]) -> Any:
    """``function(*inputs)`` with its sums of products computed as contractions; the same value up to rounding."""
    closed = jax.make_jaxpr(function)(*inputs)
    sums = _contractions(closed.jaxpr)
    if not sums:
        return function(*inputs)
    return _evaluate(closed, sums, inputs)


def _contractions(jaxpr: Any) -> dict[int, tuple[str, Any, Any]]:
    """Position of a ``reduce_sum`` equation → einsum subscripts and the two variables it contracts."""
    made_by = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
    found = {}
    for position, eqn in enumerate(jaxpr.eqns):
        if eqn.primitive.name != "reduce_sum" or isinstance(eqn.invars[0], jex.Literal):
            continue
        product = made_by.get(eqn.invars[0])
        if product is None or product.primitive.name != "mul":
            continue
        rank = len(product.outvars[0].aval.shape)
        first, second = (_factor(var, rank, made_by) for var in product.invars)
        if first is None or second is None:
            continue
        summed, kept = set(eqn.params["axes"]), set(range(rank)) - set(eqn.params["axes"])
        # Without a factor that is constant along a kept axis there is no matrix product to gain.
        if summed <= set(first[1]) & set(second[1]) and kept - (set(first[1]) & set(second[1])):
            letters = "abcdefghijklmnopqrstuvwxyz"
            terms = ["".join(letters[axis] for axis in axes) for axes in (first[1], second[1], sorted(kept))]
            found[position] = (f"{terms[0]},{terms[1]}->{terms[2]}", first[0], second[0])
    return found


def _factor(var: Any, rank: int, made_by: Mapping[Any, Any]) -> tuple[Any, tuple[int, ...]] | None:
    """A factor before it was broadcast, and the axes of the product it has."""
    if isinstance(var, jex.Literal):
        return None
    eqn = made_by.get(var)
    if eqn is not None and eqn.primitive.name == "broadcast_in_dim" and not isinstance(eqn.invars[0], jex.Literal):
        source = eqn.invars[0]
        sizes = zip(eqn.params["broadcast_dimensions"], source.aval.shape, strict=True)
        if all(size == var.aval.shape[axis] for axis, size in sizes):
            return source, tuple(eqn.params["broadcast_dimensions"])
        return None
    if len(var.aval.shape) == rank and all(size > 1 for size in var.aval.shape):
        return var, tuple(range(rank))
    return None


def _evaluate(closed: Any, sums: dict[int, tuple[str, Any, Any]], inputs: list[Any]) -> Any:
    """Evaluate a jaxpr with some equations replaced; what only they needed is removed by the compiler."""
    jaxpr = closed.jaxpr
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, inputs, strict=True))

    def read(var: Any) -> Any:
        return var.val if isinstance(var, jex.Literal) else values[var]

    for position, eqn in enumerate(jaxpr.eqns):
        if position in sums:
            subscripts, first, second = sums[position]
            values[eqn.outvars[0]] = jnp.einsum(subscripts, read(first), read(second))
            continue
        values.update(zip(eqn.outvars, bind_equation(eqn, [read(var) for var in eqn.invars]), strict=True))
    return read(jaxpr.outvars[0])
