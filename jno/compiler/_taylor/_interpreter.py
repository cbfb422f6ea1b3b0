"""Evaluation of a jaxpr on jets: every equation once, by the rule of its primitive."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax.extend import core as jex

from .._jax_versions import bind_equation
from ._jets import Jet
from ._streams import Streams

PrimitiveRule = Callable[["Pass", Any, list[Jet], frozenset[int]], list[Jet]]
"""``rule(taylor_pass, equation, input jets, needed keys) -> output jets``; some input has a needed part."""

_RULES: dict[str, PrimitiveRule] = {}

_FLAT = frozenset({"stop_gradient", "sign", "floor", "ceil", "round", "sort_key", "argmax", "argmin"})
"""Primitives whose parts are zero whatever their inputs are."""


def rule(*names: str) -> Callable[[PrimitiveRule], PrimitiveRule]:
    """Register the decorated function for primitives of these names."""

    def register(function: PrimitiveRule) -> PrimitiveRule:
        for name in names:
            if name in _RULES:
                raise ValueError(f"primitive {name!r} already has a Taylor rule")
            _RULES[name] = function
        return function

    return register


@dataclasses.dataclass(frozen=True, eq=False)
class Pass:
    """What all equations of one pass share."""

    streams: Streams
    fallback: PrimitiveRule
    fallen_back: set[str] = dataclasses.field(default_factory=set)
    """Names of primitives without a rule, differentiated by nested `jax.jvp`."""

    def evaluate(
        self, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Jet], wanted: Sequence[frozenset[int]]
    ) -> list[Jet]:
        """Jets of the outputs with the wanted parts.

        Args:
            jaxpr: an open jaxpr.
            consts: values of its constants.
            inputs: jets of its inputs.
            wanted: keys wanted of each output, closed under the product rule.
        """
        needed = _needed(jaxpr, wanted)
        jets: dict[Any, Jet] = {var: Jet(value) for var, value in zip(jaxpr.constvars, consts, strict=True)}
        jets.update(zip(jaxpr.invars, inputs, strict=True))

        def read(var: Any) -> Jet:
            return Jet(var.val) if isinstance(var, jex.Literal) else jets[var]

        for eqn in jaxpr.eqns:
            keys = frozenset[int]().union(*(needed.get(var, frozenset()) for var in eqn.outvars))
            arguments = [read(var).within(keys) for var in eqn.invars]
            outputs = self._apply(eqn, arguments, keys)
            jets.update(zip(eqn.outvars, outputs, strict=True))
        return [read(var).within(keys) for var, keys in zip(jaxpr.outvars, wanted, strict=True)]

    def _apply(self, eqn: Any, arguments: list[Jet], keys: frozenset[int]) -> list[Jet]:
        flat = eqn.primitive.name in _FLAT or not any(is_differentiable(var) for var in eqn.outvars)
        if flat or not any(argument.parts for argument in arguments):
            return [Jet(value) for value in bind_equation(eqn, [argument.value for argument in arguments])]
        return _RULES.get(eqn.primitive.name, self.fallback)(self, eqn, arguments, keys)


def is_differentiable(var: Any) -> bool:
    """Whether a variable holds floating-point or complex numbers."""
    return jnp.issubdtype(var.aval.dtype, jnp.inexact)


def _needed(jaxpr: Any, wanted: Sequence[frozenset[int]]) -> dict[Any, frozenset[int]]:
    """Keys whose parts are needed of each variable, found from the outputs backwards."""
    needed: dict[Any, frozenset[int]] = {}

    def note(var: Any, keys: frozenset[int]) -> None:
        if not isinstance(var, jex.Literal) and is_differentiable(var):
            needed[var] = needed.get(var, frozenset()) | keys

    for var, keys in zip(jaxpr.outvars, wanted, strict=True):
        note(var, keys)
    for eqn in reversed(jaxpr.eqns):
        if eqn.primitive.name in _FLAT:
            continue
        keys = frozenset[int]().union(*(needed.get(var, frozenset()) for var in eqn.outvars))
        for var in eqn.invars:
            note(var, keys)
    return needed
