"""The entrance: seeds, one pass over a function, and reading operators off the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import _calls, _elementwise, _linear, _products, _several
from ._interpreter import Pass
from ._jets import Jet, Part, add, block_axis, full, scaled, spread
from ._operators import Operator
from ._streams import BLOCK, Streams

RULE_MODULES = (_elementwise, _linear, _products, _several, _calls)
"""The modules whose functions are the rules of primitives; one that is not here does not exist for a pass."""


def seed(value: Part, tangents: Mapping[int, Part], streams: Streams) -> Jet:
    """Jet of coordinates: linear in the direction, so only the first-order terms of an operator see it.

    Args:
        value: coordinates.
        tangents: direction → its tangent, of the rank of ``value``; NumPy arrays where known in advance.
        streams: of the pass.
    """
    parts: dict[int, Any] = {}
    for position, (op, _) in enumerate(streams.basis):
        if position in streams.block:
            continue
        part = _first_order(op, tangents)
        if part is not None:
            parts[position] = part
    if streams.block:
        members = [_first_order(streams.basis[position][0], tangents) for position in streams.block]
        if any(member is not None for member in members):
            zero = np.zeros((1,) * value.ndim, dtype=value.dtype)
            present = [zero if member is None else member for member in members]
            shape = np.broadcast_shapes(*(member.shape for member in present))
            stack = np.stack if all(isinstance(member, np.ndarray) for member in present) else jnp.stack
            parts[BLOCK] = stack([full(member, shape) for member in present], axis=block_axis(value.ndim))
    return Jet(value, parts)


def jet_of(value: Part, parts: Mapping[int, Part], streams: Streams) -> Jet:
    """Jet of a value whose parts are known by position in the basis, each of the value's shape; others are zero."""
    carried = {position: part for position, part in parts.items() if position not in streams.block}
    if any(position in parts for position in streams.block):
        members = [parts.get(position, jnp.zeros_like(value)) for position in streams.block]
        carried[BLOCK] = jnp.stack(members, axis=block_axis(value.ndim))
    return Jet(value, carried)


def _first_order(op: Operator, tangents: Mapping[int, Part]) -> Part | None:
    total: Part | None = None
    for monomial, coefficient in op.terms:
        if len(monomial) == 1 and monomial[0] in tangents:
            total = add(total, scaled(coefficient, tangents[monomial[0]]))
    return total


@dataclasses.dataclass(frozen=True, eq=False)
class Differentiated:
    """Outputs of a function with all derivatives that were needed.

    Attributes:
        jets: one per output.
        streams: what their parts mean.
        fallen_back: primitives that had no rule.
    """

    jets: list[Jet]
    streams: Streams
    fallen_back: frozenset[str]

    def read(self, output: int, op: Operator) -> Any:
        """Derivative ``op`` of an output, of the output's shape."""
        jet = self.jets[output]
        dtype = jet.value.dtype if jnp.issubdtype(jet.value.dtype, jnp.inexact) else jnp.result_type(float)
        total = None
        for position, weight in self.streams.coordinates(op).items():
            if position == 0:
                part = jet.value
            elif position not in self.streams.block:
                part = jet.parts.get(position)
            else:
                block = jet.parts.get(BLOCK)
                place = self.streams.block.index(position)
                part = None if block is None else jnp.take(block, place, axis=block_axis(jet.value.ndim))
            if part is not None:
                total = add(total, scaled(weight, part))
        if total is None:
            return jnp.zeros(jet.value.shape, dtype=dtype)
        return jnp.asarray(full(total, jet.value.shape))

    def read_stacked(self, output: int, ops: Sequence[Operator]) -> Any:
        """Derivatives along a new last axis; at once where they are the block."""
        jet = self.jets[output]
        places = [self.streams.coordinates(op) for op in ops]
        is_block = self.streams.block and places == [{position: 1.0} for position in self.streams.block]
        if is_block and BLOCK in jet.parts:
            part = spread(BLOCK, jnp.asarray(jet.parts[BLOCK]), jet.value.shape)
            return jnp.moveaxis(part, block_axis(jet.value.ndim), -1)
        return jnp.stack([self.read(output, op) for op in ops], axis=-1)


def differentiate(
    function: Callable[..., Sequence[Any]],
    inputs: Sequence[Jet],
    streams: Streams,
    operators: Sequence[Sequence[Operator]],
) -> Differentiated:
    """Outputs of ``function`` at ``inputs`` with all parts that the operators of each output need.

    Args:
        function: arrays → a sequence of arrays; pure and traceable.
        inputs: jets of its arguments.
        streams: what parts mean; it must contain all these operators.
        operators: those applied to each output.

    Raises:
        TypeError: the function calls one with a custom reverse-mode rule.
    """
    closed = jax.make_jaxpr(function)(*(jet.value for jet in inputs))
    taylor = Pass(streams, _calls.nested_jvp)
    needed = [streams.needed(ops) for ops in operators]
    jets = taylor.evaluate(closed.jaxpr, closed.consts, inputs, needed)
    jets = [Jet(jnp.asarray(jet.value), jet.parts) for jet in jets]
    return Differentiated(jets, streams, frozenset(taylor.fallen_back))
