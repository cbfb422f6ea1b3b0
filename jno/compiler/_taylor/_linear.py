"""Rules of linear and bilinear primitives: one application per part."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._jax_versions import bind_equation
from ._interpreter import Pass, rule
from ._jets import Jet, Parts, add, cross, full, jet_of_rank, on_part, part_of_rank, scaled, times, with_values
from ._streams import BLOCK

PartFunction = Callable[[Any], Any]


def _values(eqn: Any, jets: list[Jet]) -> list[Any]:
    return bind_equation(eqn, [jet.value for jet in jets])


def _map_parts(jet: Jet, function: PartFunction, out_rank: int) -> Parts:
    rank = jnp.ndim(jet.value)
    return {key: on_part(key, function, (rank,), out_rank, part) for key, part in jet.parts.items()}


# --- linear in one operand, the shape of parts known in advance ------------------------------------------------------
def _one_operand(eqn: Any, jets: list[Jet], function: PartFunction) -> list[Jet]:
    (value,) = _values(eqn, jets)
    return [Jet(value, _map_parts(jets[0], function, value.ndim))]


def _elementwise(eqn: Any, jets: list[Jet], function: PartFunction) -> list[Jet]:
    (value,) = _values(eqn, jets)
    return [Jet(value, {key: function(part) for key, part in jets[0].parts.items()})]


@rule("neg")
def _negate(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _elementwise(eqn, jets, lambda part: -part)


@rule("copy", "copy_p", "real", "imag", "conj", "reduce_precision")
def _same_shape(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _elementwise(eqn, jets, lambda part: bind_equation(eqn, [jnp.asarray(part)])[0])


@rule("convert_element_type")
def _convert(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _elementwise(eqn, jets, lambda part: part.astype(eqn.params["new_dtype"]))


@rule("transpose")
def _transpose(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _one_operand(eqn, jets, lambda part: part.transpose(eqn.params["permutation"]))


@rule("squeeze")
def _squeeze(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    rank = jets[0].value.ndim
    dropped = {axis % rank for axis in eqn.params["dimensions"]}
    kept = [axis for axis in range(rank) if axis not in dropped]
    return _one_operand(eqn, jets, lambda part: part.reshape([part.shape[axis] for axis in kept]))


@rule("expand_dims")
def _expand(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    new = set(eqn.params["dimensions"])

    def expand(part: Any) -> Any:
        sizes = iter(part.shape)
        return part.reshape([1 if axis in new else next(sizes) for axis in range(part.ndim + len(new))])

    return _one_operand(eqn, jets, expand)


@rule("broadcast_in_dim")
def _broadcast(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    places, rank = eqn.params["broadcast_dimensions"], len(eqn.params["shape"])

    def spread(part: Any) -> Any:
        shape = [1] * rank
        for axis, place in enumerate(places):
            shape[place] = part.shape[axis]
        return part.reshape(shape)

    return _one_operand(eqn, jets, spread)


@rule("reshape")
def _reshape(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    if eqn.params.get("dimensions") is not None:
        return _whole(taylor, eqn, jets, keys)
    old, new = jets[0].value.shape, tuple(eqn.params["new_sizes"])

    def reshape(part: Any) -> Any:
        if part.shape != old and math.prod(part.shape) == 1:
            return part.reshape((1,) * len(new))
        if part.shape != old and _same_axes(old, new):
            sizes = iter(size for size, whole in zip(part.shape, old, strict=True) if whole != 1)
            return part.reshape([1 if size == 1 else next(sizes) for size in new])
        return full(part, old).reshape(new)

    return _one_operand(eqn, jets, reshape)


def _same_axes(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether two shapes differ only in axes of length one."""
    return [size for size in old if size != 1] == [size for size in new if size != 1]


@rule("slice")
def _slice(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    rank = jets[0].value.ndim
    steps = eqn.params["strides"] or (1,) * rank
    cuts = tuple(map(slice, eqn.params["start_indices"], eqn.params["limit_indices"], steps))
    lengths = jets[0].value.shape

    def cut(part: Any) -> Any:
        return part[
            tuple(c if size == n else slice(None) for c, size, n in zip(cuts, part.shape, lengths, strict=True))
        ]

    return _one_operand(eqn, jets, cut)


@rule("reduce_sum")
def _reduce_sum(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    axes, lengths = tuple(eqn.params["axes"]), jets[0].value.shape

    def reduce(part: Any) -> Any:
        repeats = math.prod(lengths[axis] for axis in axes if part.shape[axis] != lengths[axis])
        return scaled(repeats, part.sum(axis=axes))

    return _one_operand(eqn, jets, reduce)


@rule("cumsum", "rev", "reduce_window_sum", "fft", "sharding_constraint", "mesh_cast")
def _whole(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    shape = jets[0].value.shape
    return _one_operand(eqn, jets, lambda part: bind_equation(eqn, [jnp.asarray(full(part, shape))])[0])


# --- linear in several operands --------------------------------------------------------------------------------------
def _linear_in(positions: tuple[int, ...] | None, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """Parts of the operands at ``positions`` (``None``: all), of full shape; the others (indices) keep their values.

    An operand without a part contributes zeros; one with parts elsewhere is refused by `_supports`.
    """
    values = _values(eqn, jets)
    places = tuple(range(len(jets))) if positions is None else positions
    found: list[Parts] = [{} for _ in values]
    for key in sorted({k for place in places for k in jets[place].parts}):
        parts = [_or_zeros(jets[place], key) for place in places]
        ranks = tuple(jets[place].value.ndim for place in places)

        def apply(*members: Any) -> Any:
            operands = [jet.value for jet in jets]
            for place, member in zip(places, members, strict=True):
                operands[place] = full(jnp.asarray(member), jnp.shape(jets[place].value))
            outputs = bind_equation(eqn, operands)
            return outputs[0] if len(values) == 1 else tuple(outputs)

        made = _on_all(key, apply, ranks, [value.ndim for value in values], parts)
        for parts_of_output, part in zip(found, made, strict=True):
            parts_of_output[key] = part
    return [Jet(value, parts) for value, parts in zip(values, found, strict=True)]


def _on_all(key: int, apply: Any, ranks: tuple[int, ...], out_ranks: list[int], parts: list[Any]) -> tuple[Any, ...]:
    if len(out_ranks) == 1:
        return (on_part(key, apply, ranks, out_ranks[0], *(jnp.asarray(part) for part in parts)),)
    if key != BLOCK:
        return apply(*parts)
    axes = tuple(min(1, rank) for rank in ranks)
    return jax.vmap(apply, in_axes=axes, out_axes=tuple(min(1, rank) for rank in out_ranks))(*parts)


def _or_zeros(jet: Jet, key: int) -> Any:
    part = jet.parts.get(key)
    if part is not None:
        return part
    rank = jnp.ndim(jet.value)
    return np.zeros((1,) * (rank + (key == BLOCK)), dtype=jnp.result_type(jet.value))


def _register_linear(name: str, positions: tuple[int, ...] | None) -> None:
    def apply(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
        places = range(len(jets)) if positions is None else positions
        if any(jet.parts for place, jet in enumerate(jets) if place not in places):
            return taylor.fallback(taylor, eqn, jets, keys)
        block = [jet.parts[BLOCK].shape[min(1, jnp.ndim(jet.value))] for jet in jets if BLOCK in jet.parts]
        if block and len(jets) > 1:
            jets = [_with_block(jet, block[0]) if i in places else jet for i, jet in enumerate(jets)]
        return _linear_in(tuple(places), eqn, jets, keys)

    rule(name)(apply)


def _with_block(jet: Jet, count: int) -> Jet:
    """Explicit zeros where the block is missing: all operands of a mapped primitive have the axis."""
    if BLOCK in jet.parts:
        return jet
    rank = jnp.ndim(jet.value)
    shape = [1] * (rank + 1)
    shape[min(1, rank)] = count
    parts = dict(jet.parts)
    made = Jet(jet.value, parts)
    made.parts[BLOCK] = jnp.zeros(shape, dtype=jnp.result_type(jet.value))
    return made


_LINEAR_IN: dict[str, tuple[int, ...] | None] = {
    "gather": (0,),
    "dynamic_slice": (0,),
    "dynamic_update_slice": (0, 1),
    "pad": (0, 1),
    "scatter-add": (0, 2),
    "split": (0,),
    "complex": (0, 1),
    "device_put": None,
}
"""Primitive → places of the operands it is linear in together; ``None``: all."""

for _name, _positions in _LINEAR_IN.items():
    _register_linear(_name, _positions)


@rule("concatenate")
def _concatenate(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """Compact axes stay compact where every operand's part is."""
    (value,) = _values(eqn, jets)
    axis = eqn.params["dimension"]
    parts = {}
    for key in sorted({key for jet in jets for key in jet.parts}):
        members = [_aligned(jet, key) for jet in jets]
        rank = value.ndim
        block = max((m.shape[min(1, rank)] for m in members if key == BLOCK), default=1)
        own = axis + 1 if key == BLOCK and axis >= min(1, rank) else axis
        shape = [max(sizes) for sizes in zip(*(m.shape for m in members), strict=True)]
        if key == BLOCK:
            shape[min(1, rank)] = block
        sized = []
        for jet, member in zip(jets, members, strict=True):
            target = list(shape)
            target[own] = jet.value.shape[axis]
            sized.append(full(member, tuple(target)))
        join = np.concatenate if all(isinstance(m, np.ndarray) for m in sized) else jnp.concatenate
        parts[key] = join(sized, axis=own)
    return [Jet(value, parts)]


def _aligned(jet: Jet, key: int) -> Any:
    return jet.parts[key] if key in jet.parts else _or_zeros(jet, key)


def _sum_rule(sign: int) -> Any:
    def apply(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
        (value,) = _values(eqn, jets)
        parts = {}
        for key in sorted({*jets[0].parts, *jets[1].parts}):
            first, second = (part_of_rank(jet, key, value.ndim) for jet in jets)
            if second is not None and sign < 0:
                second = -second
            parts[key] = add(first, second)
        return [Jet(value, parts)]

    return apply


rule("add", "add_any")(_sum_rule(1))
rule("sub")(_sum_rule(-1))


# --- bilinear --------------------------------------------------------------------------------------------------------
def bilinear(taylor: Pass, first: Jet, second: Jet, keys: frozenset[int], multiply: Any, value: Any) -> Jet:
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
    (value,) = _values(eqn, jets)
    first, second = (jet_of_rank(jet, value.ndim) for jet in jets)
    parts: Parts = {}
    for key in sorted(keys):
        total = None
        for own, other in ((first, second), (second, first)):
            if key in own.parts:
                total = add(total, with_values(key, times, own.parts[key], other.value))
        if first.parts and second.parts:
            total = add(total, cross(taylor.streams, key, first.parts, second.parts, times, (value.ndim,) * 3))
        if total is not None:
            parts[key] = total
    return [Jet(value, parts)]


@rule("dot_general", "conv_general_dilated")
def _contract(taylor: Pass, eqn: Any, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    (value,) = _values(eqn, jets)
    shapes = tuple(jnp.shape(jet.value) for jet in jets)
    bound = _bound_axes(eqn)

    def multiply(a: Any, b: Any) -> Any:
        operands = [_open(x, shape, axes) for x, shape, axes in zip((a, b), shapes, bound, strict=True)]
        return bind_equation(eqn, operands)[0]

    if BLOCK in jets[0].parts and not jets[1].parts and _rows_are_free(eqn):
        rest = Jet(jets[0].value, {key: part for key, part in jets[0].parts.items() if key != BLOCK})
        out = bilinear(taylor, rest, jets[1], keys, multiply, value)
        return [Jet(value, {**out.parts, BLOCK: _merged_product(eqn, jets[0], jets[1].value)})]
    return [bilinear(taylor, jets[0], jets[1], keys, multiply, value)]


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
    (value,) = _values(eqn, jets)
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
            quotient[key] = with_values(key, lambda p, d: p / d, total, second.value)
    return [Jet(value, quotient)]
