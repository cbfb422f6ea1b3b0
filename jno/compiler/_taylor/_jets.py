"""Values with their parts, and the arithmetic that respects compact, constant and block parts.

A part has the rank of its value; an axis along which it is constant may have length one (the derivative of a
coordinate is the same at all points), parts known in advance are NumPy arrays, and a missing part is zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from ._streams import BLOCK, Streams

Part = Shaped[jax.Array | np.ndarray | np.number, "..."]
"""A part, or a value that has parts: not a number written into a jaxpr."""

Parts = dict[int, Part]


@dataclasses.dataclass(frozen=True, eq=False)
class Jet:
    """A value and its parts by key."""

    value: Any
    parts: Parts = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, part in list(self.parts.items()):
            if part is None or (isinstance(part, np.ndarray) and not part.any()):
                del self.parts[key]

    def within(self, needed: frozenset[int]) -> Jet:
        """Only the parts that are needed."""
        return Jet(self.value, {key: part for key, part in self.parts.items() if key in needed})


def block_axis(rank: int) -> int:
    """Place of the block's own axis among the axes of a value of this rank: after the leading one."""
    return min(1, rank)


def on_part(
    key: int, function: Callable[..., Any], ranks: tuple[int, ...], out_rank: int | tuple[int, ...], *parts: Any
) -> Any:
    """``function(*parts)``, on every member of the block if the key is the block's.

    Args:
        ranks: those of the values the parts belong to.
        out_rank: that of the result, or of every result of a function with several.
    """
    if key != BLOCK:
        return function(*parts)
    axes = tuple(block_axis(rank) for rank in ranks)
    if isinstance(out_rank, int) and all(isinstance(part, np.ndarray) for part in parts):
        count = parts[0].shape[axes[0]]
        members = [function(*(p.take(i, a) for p, a in zip(parts, axes, strict=True))) for i in range(count)]
        return _stack(members, block_axis(out_rank))
    out_axes = block_axis(out_rank) if isinstance(out_rank, int) else tuple(map(block_axis, out_rank))
    return jax.vmap(function, in_axes=axes, out_axes=out_axes)(*parts)


def with_values(key: int, function: Callable[..., Part], part: Part, *values: Any) -> Part:
    """An elementwise ``function(part, *values)`` of a part and values of the same rank (or scalars)."""
    if key == BLOCK:
        values = tuple(jnp.expand_dims(v, block_axis(jnp.ndim(v))) if jnp.ndim(v) else v for v in values)
    return function(part, *values)


def times(value: Part, part: Part) -> Part:
    """The elementwise product."""
    return value * part


def _stack(members: list[Part], axis: int) -> Part:
    stack = np.stack if all(isinstance(m, np.ndarray) for m in members) else jnp.stack
    return stack(members, axis=axis)


def full(part: Part, shape: tuple[int, ...]) -> Part:
    """A part of the shape of its value (not of a block)."""
    if part.shape == shape:
        return part
    return (np if isinstance(part, np.ndarray) else jnp).broadcast_to(part, shape)


def spread(key: int, part: Part, shape: tuple[int, ...]) -> Part:
    """Like `full` for any key."""
    if key != BLOCK:
        return full(part, shape)
    axis = block_axis(len(shape))
    return full(part, (*shape[:axis], part.shape[axis], *shape[axis:]))


@overload
def add(left: Part | None, right: Part) -> Part: ...
@overload
def add(left: Part, right: None) -> Part: ...
@overload
def add(left: Part | None, right: Part | None) -> Part | None: ...
def add(left: Part | None, right: Part | None) -> Part | None:
    """Sum of two parts, either of which may be missing."""
    if left is None:
        return right
    return left if right is None else left + right


def scaled(factor: int | float, part: Part) -> Part:
    """A part times a Python number."""
    return part if factor == 1 else part * np.asarray(factor, dtype=part.dtype)


Multiply = Callable[[Part, Part], Part]


def cross(
    streams: Streams,
    key: int,
    left: Mapping[int, Part],
    right: Mapping[int, Part],
    multiply: Multiply,
    ranks: tuple[int, int, int],
    factor: float = 1.0,
) -> Part | None:
    """``factor`` times what the product rule adds to part ``key`` of a product besides ``p(f) g + f p(g)``.

    Args:
        multiply: the bilinear product of two parts without block axis (`times`, or any other), commutative if both
            factors are the same.
        ranks: of the two factors and of the product.

    Returns:
        the sum, or ``None`` for nothing.
    """
    total = None
    for j, k, weight in streams.products.get(key, ()):
        if j not in left or k not in right or (left is right and j > k):
            continue
        twice = 2.0 if left is right and j < k else 1.0
        total = add(total, scaled(twice * factor * weight, multiply(left[j], right[k])))
    if key in streams.block_products and BLOCK in left and BLOCK in right:
        weights = factor * streams.block_products[key]
        total = add(total, _block_cross(weights, left[BLOCK], right[BLOCK], multiply, ranks))
    return total


def _block_cross(
    weights: Float[np.ndarray, "D ..."], left: Part, right: Part, multiply: Multiply, ranks: tuple[int, ...]
) -> Part:
    left_axis, right_axis, out = (block_axis(rank) for rank in ranks)
    if weights.ndim == 2:
        weighted = jnp.moveaxis(jnp.asarray(right), right_axis, -1) @ jnp.asarray(weights.T, dtype=right.dtype)
        right = jnp.moveaxis(weighted, -1, right_axis)
        weights = np.ones(len(weights))
    if multiply is times:  # mapped, XLA on a CPU would transpose the factors
        products = left * right
    else:
        products = jax.vmap(multiply, in_axes=(left_axis, right_axis), out_axes=out)(left, right)
    if np.all(weights == weights[0]):
        return scaled(float(weights[0]), products.sum(axis=out))
    shape = [1] * products.ndim
    shape[out] = -1
    return (products * weights.reshape(shape).astype(products.dtype)).sum(axis=out)


def part_of_rank(jet: Jet, key: int, rank: int) -> Part | None:
    """A part with axes of length one in front where the operand has a lower rank (it is a scalar then)."""
    part = jet.parts.get(key)
    if part is None or jnp.ndim(jet.value) == rank:
        return part
    return part.reshape((1,) * (rank + (key == BLOCK) - part.ndim) + part.shape) if key != BLOCK else _lift(part, rank)


def _lift(part: Part, rank: int) -> Part:
    """The block part of a scalar ``(D,)`` among values of a higher rank."""
    shape = [1] * (rank + 1)
    shape[min(1, rank)] = part.shape[0]
    return part.reshape(shape)


def jet_of_rank(jet: Jet, rank: int) -> Jet:
    """A scalar operand as one of the rank of the others."""
    if jnp.ndim(jet.value) == rank:
        return jet
    parts = {key: part for key in jet.parts if (part := part_of_rank(jet, key, rank)) is not None}
    return Jet(jnp.reshape(jet.value, (1,) * rank), parts)
