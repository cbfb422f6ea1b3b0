"""Rules of products and quotients."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .._jax_versions import bind_equation
from ._interpreter import Pass, rule
from ._jets import Jet, Parts, add, cross, full, jet_of_rank, on_part, times, with_values
from ._streams import BLOCK


def _bilinear(taylor: Pass, first: Jet, second: Jet, keys: frozenset[int], multiply: Any, value: Any) -> Jet:
    """Jet of a bilinear product by the product rule; ``multiply`` acts on arrays without block axis."""
    ranks = (jnp.ndim(first.value), jnp.ndim(second.value), jnp.ndim(value))
    out: Parts = {}
    for key in sorted(keys):
        total = None
        if key in first.parts:
            total = on_part(key, lambda p: multiply(p, second.value), ranks[:1], ranks[2], first.parts[key])
        if key in second.parts:
            other = on_part(key, lambda p: multiply(first.value, p), ranks[1:2], ranks[2], second.parts[key])
            total = add(total, other)
        if first.parts and second.parts:
            total = add(total, cross(taylor.streams, key, first.parts, second.parts, multiply, ranks))
        if total is not None:
            out[key] = total
    return Jet(value, out)


@rule("mul")
def _multiply(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    first, second = (jet_of_rank(jet, value.ndim) for jet in jets)
    parts: Parts = {}
    for key in sorted(keys):
        total = None
        for own, other in ((first, second), (second, first)):
            if key in own.parts:
                total = add(total, with_values(key, times, own.parts[key], other.value))
        if first.parts and second.parts:
            total = add(total, cross(taylor.streams, key, first.parts, second.parts, times, (value.ndim,) * 3))
        if isinstance(total, np.ndarray) and not total.any():
            total = jnp.asarray(total)  # a product with zero still depends on its factors: its quotient by zero is NaN
        if total is not None:
            parts[key] = total
    return [Jet(value, parts)]


@rule("dot_general", "conv_general_dilated")
def _contract(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    shapes = tuple(jnp.shape(jet.value) for jet in jets)
    bound = _bound_axes(eqn)

    def multiply(a: Any, b: Any) -> Any:
        operands = [_open(x, shape, axes) for x, shape, axes in zip((a, b), shapes, bound, strict=True)]
        return bind_equation(eqn, operands)[0]

    if BLOCK in jets[0].parts and not jets[1].parts and _rows_are_free(eqn):
        rest = Jet(jets[0].value, {key: part for key, part in jets[0].parts.items() if key != BLOCK})
        out = _bilinear(taylor, rest, jets[1], keys, multiply, value)
        return [Jet(value, {**out.parts, BLOCK: _merged_product(eqn, jets[0], jets[1].value)})]
    return [_bilinear(taylor, jets[0], jets[1], keys, multiply, value)]


def _rows_are_free(eqn: Any) -> bool:
    """Whether the leading axis of the first operand is that of the product, with the block's axis after it."""
    if eqn.primitive.name != "dot_general":
        return False
    (contracted, _), (batched, _) = eqn.params["dimension_numbers"]
    return 0 not in contracted and not batched


def _merged_product(eqn: Any, first: Jet, second: Any) -> Any:
    """Product of a block with a matrix: rows and members of the block as rows of one product of the usual rank."""
    part = jnp.asarray(first.parts[BLOCK])
    part = full(part, (*part.shape[:2], *first.value.shape[1:]))
    rows, members = part.shape[:2]
    (product,) = bind_equation(eqn, [part.reshape(rows * members, *part.shape[2:]), second])
    return product.reshape(rows, members, *product.shape[1:])


def _bound_axes(eqn: Any) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Axes of the operands that must have their full length; ``None``: all of them."""
    if eqn.primitive.name != "dot_general":
        return None, None
    contracted, batched = eqn.params["dimension_numbers"]
    return tuple(contracted[0]) + tuple(batched[0]), tuple(contracted[1]) + tuple(batched[1])


def _open(array: Any, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> Any:
    array = jnp.asarray(array)
    if axes is None:
        return full(array, shape)
    return full(array, tuple(n if axis in axes else array.shape[axis] for axis, n in enumerate(shape)))


@rule("div")
def _divide(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """q = a/b from a = q b: the parts of q one order after the other."""
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    first, second = (jet_of_rank(jet, value.ndim) for jet in jets)
    quotient: Parts = {}
    ranks = (value.ndim,) * 3
    for key in [key for key in taylor.streams.keys if key in keys]:
        total = first.parts.get(key)
        if key in second.parts:
            total = add(total, with_values(key, lambda p, q: -(q * p), second.parts[key], value))
        if second.parts and quotient:
            mixed = cross(taylor.streams, key, quotient, second.parts, times, ranks)
            total = add(total, None if mixed is None else -mixed)
        if total is not None:
            with np.errstate(divide="ignore", invalid="ignore"):  # parts known in advance are NumPy arrays
                quotient[key] = with_values(key, lambda p, d: p / d, total, second.value)
    return [Jet(value, quotient)]
