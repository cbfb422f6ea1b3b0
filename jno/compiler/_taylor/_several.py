"""Rules of primitives that are linear in several operands together."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex

from jno.utils import bind_equation

from ._interpreter import Pass, rule
from ._jets import Jet, Parts, add, block_axis, full, on_part, part_of_rank
from ._streams import BLOCK

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
"""Primitive → places of the operands it is linear in together (the others are indices); ``None``: all."""


def _register(name: str, positions: tuple[int, ...] | None) -> None:
    def apply(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
        places = tuple(range(len(jets))) if positions is None else positions
        if any(jet.parts for place, jet in enumerate(jets) if place not in places):
            return taylor.fallback(taylor, eqn, jets, keys)
        return _linear_in(taylor, eqn, jets, places)

    rule(name)(apply)


for _name, _positions in _LINEAR_IN.items():
    _register(_name, _positions)


def _linear_in(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], places: tuple[int, ...]) -> list[Jet]:
    values = bind_equation(eqn, [jet.value for jet in jets])
    outputs: list[Parts] = [{} for _ in values]
    ranks = tuple(jnp.ndim(jets[place].value) for place in places)
    for key in sorted({k for place in places for k in jets[place].parts}):

        def apply(*members: Any) -> tuple[Any, ...]:
            operands = [jet.value for jet in jets]
            for place, member in zip(places, members, strict=True):
                operands[place] = full(member, jnp.shape(jets[place].value))
            return tuple(bind_equation(eqn, operands))

        parts = [jnp.asarray(_part_or_zeros(taylor, jets[place], key)) for place in places]
        results = on_part(key, apply, ranks, tuple(value.ndim for value in values), *parts)
        for output_parts, part in zip(outputs, results, strict=True):
            output_parts[key] = part
    return [Jet(value, parts) for value, parts in zip(values, outputs, strict=True)]


def _part_or_zeros(taylor: Pass, jet: Jet, key: int) -> Any:
    if key in jet.parts:
        return jet.parts[key]
    shape = [1] * jnp.ndim(jet.value)
    if key == BLOCK:
        shape.insert(block_axis(len(shape)), len(taylor.streams.block))
    return np.zeros(shape, dtype=jnp.result_type(jet.value))


@rule("concatenate")
def _concatenate(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """Compact axes stay compact where every operand's part is."""
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    axis = eqn.params["dimension"]
    parts: Parts = {}
    for key in sorted({key for jet in jets for key in jet.parts}):
        members = [_part_or_zeros(taylor, jet, key) for jet in jets]
        part_axis = axis + 1 if key == BLOCK and axis >= block_axis(value.ndim) else axis
        shape = np.max([member.shape for member in members], axis=0)
        sized = []
        for jet, member in zip(jets, members, strict=True):
            shape[part_axis] = jet.value.shape[axis]
            sized.append(full(member, tuple(int(size) for size in shape)))
        join = np.concatenate if all(isinstance(member, np.ndarray) for member in sized) else jnp.concatenate
        parts[key] = join(sized, axis=part_axis)
    return [Jet(value, parts)]


def _sum_rule(sign: int) -> Any:
    def apply(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
        (value,) = bind_equation(eqn, [jet.value for jet in jets])
        parts: Parts = {}
        for key in sorted({*jets[0].parts, *jets[1].parts}):
            left, right = (part_of_rank(jet, key, value.ndim) for jet in jets)
            total = add(left, -right if right is not None and sign < 0 else right)
            if total is not None:
                parts[key] = total
        return [Jet(value, parts)]

    return apply


rule("add", "add_any")(_sum_rule(1))
rule("sub")(_sum_rule(-1))
