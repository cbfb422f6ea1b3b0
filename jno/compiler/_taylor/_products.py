"""Rules of products and quotients."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex

from jno.utils import bind_equation

from ._interpreter import Pass, rule
from ._jets import Jet, Multiply, Part, Parts, add, cross, full, jet_of_rank, on_part, times, with_values
from ._streams import BLOCK


def _bilinear(taylor: Pass, left: Jet, right: Jet, keys: frozenset[int], multiply: Multiply, value: Part) -> Jet:
    """Jet of a bilinear product by the product rule; ``multiply`` acts on arrays without block axis."""
    ranks = (jnp.ndim(left.value), jnp.ndim(right.value), jnp.ndim(value))
    out: Parts = {}
    for key in sorted(keys):
        total = None
        if key in left.parts:
            total = on_part(key, lambda p: multiply(p, right.value), ranks[:1], ranks[2], left.parts[key])
        if key in right.parts:
            from_right = on_part(key, lambda p: multiply(left.value, p), ranks[1:2], ranks[2], right.parts[key])
            total = add(total, from_right)
        if left.parts and right.parts:
            total = add(total, cross(taylor.streams, key, left.parts, right.parts, multiply, ranks))
        if total is not None:
            out[key] = total
    return Jet(value, out)


@rule("mul")
def _multiply(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    left, right = (jet_of_rank(jet, value.ndim) for jet in jets)
    parts: Parts = {}
    for key in sorted(keys):
        total = None
        for factor, cofactor in ((left, right), (right, left)):
            if key in factor.parts:
                total = add(total, with_values(key, times, factor.parts[key], cofactor.value))
        if left.parts and right.parts:
            total = add(total, cross(taylor.streams, key, left.parts, right.parts, times, (value.ndim,) * 3))
        if isinstance(total, np.ndarray) and not total.any():
            total = jnp.asarray(total)  # a product with zero still depends on its factors: its quotient by zero is NaN
        if total is not None:
            parts[key] = total
    return [Jet(value, parts)]


@rule("dot_general", "conv_general_dilated")
def _contract(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    shapes = tuple(jnp.shape(jet.value) for jet in jets)
    bound = _bound_axes(eqn)

    def multiply(a: Part, b: Part) -> Part:
        operands = [_open(x, shape, axes) for x, shape, axes in zip((a, b), shapes, bound, strict=True)]
        return bind_equation(eqn, operands)[0]

    if BLOCK in jets[0].parts and not jets[1].parts and _rows_are_free(eqn):
        without_block = Jet(jets[0].value, {key: part for key, part in jets[0].parts.items() if key != BLOCK})
        out = _bilinear(taylor, without_block, jets[1], keys, multiply, value)
        return [Jet(value, {**out.parts, BLOCK: _merged_product(eqn, jets[0], jets[1].value)})]
    return [_bilinear(taylor, jets[0], jets[1], keys, multiply, value)]


def _rows_are_free(eqn: jex.JaxprEqn) -> bool:
    """Whether the leading axis of the first operand is that of the product, with the block's axis after it."""
    if eqn.primitive.name != "dot_general":
        return False
    (contracted, _), (batched, _) = eqn.params["dimension_numbers"]
    return 0 not in contracted and not batched


def _merged_product(eqn: jex.JaxprEqn, left: Jet, right: Part) -> Part:
    """Product of a block with a matrix: rows and members of the block as rows of one product of the usual rank."""
    part = left.parts[BLOCK]
    part = full(jnp.asarray(part), (*part.shape[:2], *left.value.shape[1:]))
    rows, members = part.shape[:2]
    (product,) = bind_equation(eqn, [part.reshape(rows * members, *part.shape[2:]), right])
    return product.reshape(rows, members, *product.shape[1:])


def _bound_axes(eqn: jex.JaxprEqn) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Axes of the operands that must have their full length; ``None``: all of them."""
    if eqn.primitive.name != "dot_general":
        return None, None
    contracted, batched = eqn.params["dimension_numbers"]
    return tuple(contracted[0]) + tuple(batched[0]), tuple(contracted[1]) + tuple(batched[1])


def _open(array: Part, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> Part:
    array = jnp.asarray(array)
    if axes is None:
        return full(array, shape)
    return full(array, tuple(n if axis in axes else array.shape[axis] for axis, n in enumerate(shape)))


@rule("div")
def _divide(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """q = a/b from a = q b: the parts of q one order after the other."""
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    numerator, denominator = (jet_of_rank(jet, value.ndim) for jet in jets)
    quotient: Parts = {}
    ranks = (value.ndim,) * 3
    for key in [key for key in taylor.streams.keys if key in keys]:
        total = numerator.parts.get(key)
        if key in denominator.parts:
            total = add(total, with_values(key, lambda p, q: -(q * p), denominator.parts[key], value))
        if denominator.parts and quotient:
            mixed = cross(taylor.streams, key, quotient, denominator.parts, times, ranks)
            total = add(total, None if mixed is None else -mixed)
        if total is not None:
            with np.errstate(divide="ignore", invalid="ignore"):  # parts known in advance are NumPy arrays
                quotient[key] = with_values(key, lambda p, d: p / d, total, denominator.value)
    return [Jet(value, quotient)]
