r"""Sums of products as matrix products.

Operator networks combine branch and trunk as :math:`\sum_p b_p\, t_{np}`, written ``sum(b * t, axis=-1)``.  Mapped over
samples this multiplies and adds a ``(B, N, P)`` array element by element; as a contraction it is one matrix product.
The pattern is replaced in the jaxpr of a network; measured on a DeepONet (32 × 861 points, 128 basis functions,
two CPU cores, with derivatives) the step is an order of magnitude faster.
"""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex
from jaxtyping import Array, Shaped

from jno.utils import bind_equation, evaluate_jaxpr, shape_of

_Producers = Mapping[jex.Var, jex.JaxprEqn]
"""The equation that computes a variable."""


@dataclasses.dataclass(frozen=True)
class _Factor:
    """A factor of a product before it was broadcast, and the axes of the product it has."""

    var: jex.Var
    axes: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class _Contraction:
    """A sum of products of two factors, by its einsum subscripts."""

    subscripts: str
    left: jex.Var
    right: jex.Var


def contract_products(function: Callable[..., Array], inputs: list[Shaped[Array, ...]]) -> Shaped[Array, ...]:
    """``function(*inputs)`` with its sums of products computed as contractions; the same value up to rounding."""
    closed = jax.make_jaxpr(function)(*inputs)
    contractions = _contractions(closed.jaxpr)
    if not contractions:
        return function(*inputs)

    def apply(eqn: jex.JaxprEqn, read: Callable[[Any], Array]) -> list[Array]:
        contraction = contractions.get(eqn.outvars[0]) if eqn.outvars else None
        if contraction is None:
            return bind_equation(eqn, [read(var) for var in eqn.invars])
        # the product itself is computed as well; where nothing else needs it, XLA removes it
        return [jnp.einsum(contraction.subscripts, read(contraction.left), read(contraction.right))]

    return evaluate_jaxpr(closed.jaxpr, closed.consts, inputs, apply, lambda array: array)[0]


def _contractions(jaxpr: jex.Jaxpr) -> dict[jex.Var, _Contraction]:
    """The result of a ``reduce_sum`` equation → what it contracts."""
    producers = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
    contractions = {}
    for eqn in jaxpr.eqns:
        if eqn.primitive.name != "reduce_sum" or isinstance(eqn.invars[0], jex.Literal):
            continue
        product = producers.get(eqn.invars[0])
        if product is not None and product.primitive.name == "mul":
            contraction = _contraction(product, frozenset(map(int, eqn.params["axes"])), producers)
            if contraction is not None:
                contractions[eqn.outvars[0]] = contraction
    return contractions


def _contraction(product: jex.JaxprEqn, summed: frozenset[int], producers: _Producers) -> _Contraction | None:
    """The sum of a product over some axes, where that is a matrix product."""
    rank = len(shape_of(product.outvars[0]))
    left, right = (_factor(var, rank, producers) for var in product.invars)
    if left is None or right is None:
        return None
    shared = set(left.axes) & set(right.axes)
    remaining = set(range(rank)) - summed
    # Without a factor that is constant along a remaining axis there is no matrix product to gain.
    if not summed <= shared or not remaining - shared:
        return None
    terms = [
        "".join(string.ascii_lowercase[axis] for axis in axes) for axes in (left.axes, right.axes, sorted(remaining))
    ]
    return _Contraction(f"{terms[0]},{terms[1]}->{terms[2]}", left.var, right.var)


def _factor(var: jex.Var | jex.Literal, rank: int, producers: _Producers) -> _Factor | None:
    if isinstance(var, jex.Literal):
        return None
    eqn = producers.get(var)
    if eqn is not None and eqn.primitive.name == "broadcast_in_dim" and not isinstance(eqn.invars[0], jex.Literal):
        source = eqn.invars[0]
        sizes = zip(eqn.params["broadcast_dimensions"], shape_of(source), strict=True)
        if all(size == shape_of(var)[axis] for axis, size in sizes):
            return _Factor(source, tuple(eqn.params["broadcast_dimensions"]))
        return None
    if len(shape_of(var)) == rank and all(size > 1 for size in shape_of(var)):
        return _Factor(var, tuple(range(rank)))
    return None
