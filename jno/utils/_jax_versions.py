"""Differences between JAX versions, kept in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax.extend import core as jex

try:
    from jax.errors import InconclusiveDimensionOperation as InconclusiveDimensionOperation
except ImportError:  # before JAX 0.10
    from jax.core import InconclusiveDimensionOperation as InconclusiveDimensionOperation


def bind_equation(eqn: jex.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """Evaluate one jaxpr equation.  ``get_bind_params`` returned ``(functions, params)`` before JAX 0.10."""
    bound = eqn.primitive.get_bind_params(eqn.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    with eqn.ctx.manager:
        result = eqn.primitive.bind(*functions, *inputs, **params)
    return list(result) if eqn.primitive.multiple_results else [result]


def scan_counts(eqn: jex.JaxprEqn) -> tuple[int, int]:
    """How many operands of a ``scan`` are constants, and how many the carry.  JAX 0.12 has trees of them."""
    if "num_consts" in eqn.params:
        return eqn.params["num_consts"], eqn.params["num_carry"]
    constants, carry, _ = eqn.params["ft_in"].unpack()
    return len(list(constants.vals)), len(list(carry.vals))
