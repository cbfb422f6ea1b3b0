"""What happens between the inputs and the outputs of a network, read from the equations that any module is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex
from jaxtyping import Array

from jno.utils import bind_equation, evaluate_jaxpr

_CALLS = {
    "pjit",
    "jit",
    "custom_jvp_call",
    "custom_vjp_call",
    "custom_vjp_call_jaxpr",
    "remat",
    "checkpoint",
    "closed_call",
}
"""Equations that stand for those of a jaxpr they hold."""

_ON = {"reshape", "broadcast_in_dim", "squeeze", "convert_element_type", "transpose", "add", "sub"}
"""Equations after the last product of matrices that belong to the layer, when nothing else in them varies."""

_BOUNDED = {"tanh": "tanh", "logistic": "sigmoid"}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Passage:
    """The values of one network at all points.

    Attributes:
        inputs: what the first layer multiplies by its weights, ``(n, F)``; None without such a layer.
        outputs: what the last one returns, before anything that scales it; the same.
        activations: values ``(n, U)`` of the ``U`` units after every activation that can saturate or die.
        names: of these activations.
    """

    inputs: Any
    outputs: Any
    activations: list[Any]
    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})


def passage_of(function: Callable[..., Any], weights: Any, data: Any) -> Passage:
    """The values inside ``function(weights, data)``, compiled."""
    closed = jax.make_jaxpr(function)(weights, data)
    fixed, varying = jax.tree_util.tree_leaves(weights), jax.tree_util.tree_leaves(data)

    @jax.jit
    def passage(fixed: list[Array], varying: list[Array]) -> Passage:
        walk = _Walk()
        inputs = [_Traced(leaf, varies=False) for leaf in fixed] + [_Traced(leaf, varies=True) for leaf in varying]
        walk.through(closed.jaxpr, closed.consts, inputs)
        return Passage(walk.inputs, walk.outputs, walk.activations, tuple(walk.names))

    return passage(fixed, varying)


@dataclasses.dataclass(frozen=True, eq=False)
class _Traced:
    """A value, and whether it differs between points."""

    array: Any
    varies: bool


class _Walk:
    """Evaluates equations one after the other and keeps what a `Passage` has."""

    def __init__(self) -> None:
        self.inputs: Any = None
        self.activations: list[Any] = []
        self.names: list[str] = []
        self._last: _Traced | None = None

    @property
    def outputs(self) -> Any:
        """The values of the last layer."""
        return None if self._last is None else self._last.array

    def through(self, jaxpr: jex.Jaxpr, consts: Sequence[Any], inputs: Sequence[_Traced]) -> list[_Traced]:
        """The outputs of a jaxpr."""
        return evaluate_jaxpr(jaxpr, consts, inputs, self._apply, lambda array: _Traced(array, varies=False))

    def _apply(self, eqn: jex.JaxprEqn, read: Callable[[Any], _Traced]) -> list[_Traced]:
        operands, name = [read(var) for var in eqn.invars], eqn.primitive.name
        held = [value for value in eqn.params.values() if isinstance(value, jex.Jaxpr | jex.ClosedJaxpr)]
        if name in _CALLS and len(held) == 1:
            (inner,) = held
            if isinstance(inner, jex.ClosedJaxpr):
                return self.through(inner.jaxpr, inner.consts, operands)
            return self.through(inner, (), operands)
        varies = any(operand.varies for operand in operands)
        results = [_Traced(r, varies) for r in bind_equation(eqn, [operand.array for operand in operands])]
        if varies:
            self._note(eqn, name, operands, results[0])
        return results

    def _note(self, eqn: jex.JaxprEqn, name: str, operands: list[_Traced], result: _Traced) -> None:
        varying = [operand for operand in operands if operand.varies]
        if name == "dot_general":
            if self.inputs is None and len(varying) == 1:
                self.inputs = _rows(eqn, operands)
            self._last = result
        elif name in _ON and len(varying) == 1 and varying[0] is self._last:
            self._last = result
        elif name in _BOUNDED:
            self._activated(_BOUNDED[name], result)
        elif name == "max" and any(isinstance(var, jex.Literal) and var.val == 0 for var in eqn.invars):
            self._activated("relu", result)

    def _activated(self, name: str, result: _Traced) -> None:
        if jnp.ndim(result.array) > 1:
            self.names.append(name)
            self.activations.append(result.array.reshape(-1, result.array.shape[-1]))


def _rows(eqn: jex.JaxprEqn, operands: list[_Traced]) -> Any:
    """What a product of matrices contracts, along the last axis."""
    side = 0 if operands[0].varies else 1
    contracted = eqn.params["dimension_numbers"][0][side]
    if len(contracted) != 1:
        return None
    array = jnp.moveaxis(operands[side].array, contracted[0], -1)
    return array.reshape(-1, array.shape[-1])
