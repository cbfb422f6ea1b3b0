"""Rules of primitives that are linear in one operand: one application per part."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex

from jno.utils import bind_equation

from ._interpreter import Pass, rule
from ._jets import Jet, Part, full, on_part, scaled

PartFunction = Callable[[Any], Any]


def _one_operand(eqn: jex.JaxprEqn, jets: list[Jet], function: PartFunction) -> list[Jet]:
    jet = jets[0]
    (value,) = bind_equation(eqn, [jet.value])
    ranks = (jnp.ndim(jet.value),)
    return [Jet(value, {key: on_part(key, function, ranks, value.ndim, part) for key, part in jet.parts.items()})]


def _elementwise(eqn: jex.JaxprEqn, jets: list[Jet], function: PartFunction) -> list[Jet]:
    (value,) = bind_equation(eqn, [jets[0].value])
    return [Jet(value, {key: function(part) for key, part in jets[0].parts.items()})]


@rule("neg")
def _negate(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _elementwise(eqn, jets, lambda part: -part)


@rule("copy", "copy_p", "real", "imag", "conj", "reduce_precision")
def _same_shape(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _elementwise(eqn, jets, lambda part: bind_equation(eqn, [jnp.asarray(part)])[0])


@rule("convert_element_type")
def _convert(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _elementwise(eqn, jets, lambda part: part.astype(eqn.params["new_dtype"]))


@rule("transpose")
def _transpose(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return _one_operand(eqn, jets, lambda part: part.transpose(eqn.params["permutation"]))


@rule("squeeze")
def _squeeze(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    rank = jets[0].value.ndim
    dropped = {axis % rank for axis in eqn.params["dimensions"]}
    remaining = [axis for axis in range(rank) if axis not in dropped]
    return _one_operand(eqn, jets, lambda part: part.reshape([part.shape[axis] for axis in remaining]))


@rule("expand_dims")
def _expand(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    new = set(eqn.params["dimensions"])

    def expand(part: Part) -> Any:
        sizes = iter(part.shape)
        return part.reshape([1 if axis in new else next(sizes) for axis in range(part.ndim + len(new))])

    return _one_operand(eqn, jets, expand)


@rule("broadcast_in_dim")
def _broadcast(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    places, rank = eqn.params["broadcast_dimensions"], len(eqn.params["shape"])

    def spread(part: Part) -> Any:
        shape = [1] * rank
        for axis, place in enumerate(places):
            shape[place] = part.shape[axis]
        return part.reshape(shape)

    return _one_operand(eqn, jets, spread)


@rule("reshape")
def _reshape(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    if eqn.params.get("dimensions") is not None:
        return _spread_axes(taylor, eqn, jets, keys)
    old, new = jets[0].value.shape, tuple(eqn.params["new_sizes"])

    def reshape(part: Part) -> Any:
        if part.shape != old and math.prod(part.shape) == 1:
            return part.reshape((1,) * len(new))
        if part.shape != old and _same_axes(old, new):
            sizes = iter(size for size, length in zip(part.shape, old, strict=True) if length != 1)
            return part.reshape([1 if size == 1 else next(sizes) for size in new])
        return full(part, old).reshape(new)

    return _one_operand(eqn, jets, reshape)


def _same_axes(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether two shapes differ only in axes of length one."""
    return [size for size in old if size != 1] == [size for size in new if size != 1]


@rule("slice")
def _slice(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    rank = jets[0].value.ndim
    steps = eqn.params["strides"] or (1,) * rank
    cuts = tuple(map(slice, eqn.params["start_indices"], eqn.params["limit_indices"], steps))
    lengths = jets[0].value.shape

    def cut(part: jax.Array | np.ndarray) -> Any:
        return part[
            tuple(c if size == n else slice(None) for c, size, n in zip(cuts, part.shape, lengths, strict=True))
        ]

    return _one_operand(eqn, jets, cut)


@rule("reduce_sum")
def _reduce_sum(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    axes, lengths = tuple(eqn.params["axes"]), jets[0].value.shape

    def reduce(part: Part) -> Any:
        repeats = math.prod(lengths[axis] for axis in axes if part.shape[axis] != lengths[axis])
        return scaled(repeats, part.sum(axis=axes))

    return _one_operand(eqn, jets, reduce)


@rule("cumsum", "rev", "reduce_window_sum", "fft", "sharding_constraint", "mesh_cast")
def _spread_axes(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    shape = jets[0].value.shape
    return _one_operand(eqn, jets, lambda part: bind_equation(eqn, [jnp.asarray(full(part, shape))])[0])
