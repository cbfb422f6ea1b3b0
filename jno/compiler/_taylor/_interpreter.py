"""Evaluation of a jaxpr on jets: every equation once, by the rule of its primitive."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax.extend import core as jex

from jno.utils import bind_equation, evaluate_jaxpr

from .._rule_tables import add_rules
from ._jets import Jet
from ._streams import Streams

PrimitiveRule = Callable[["Pass", jex.JaxprEqn, list[Jet], frozenset[int]], list[Jet]]
"""``rule(taylor_pass, equation, input jets, needed keys) -> output jets``; some input has a needed part."""

_RULES: dict[str, PrimitiveRule] = {}

_FLAT = frozenset({"stop_gradient", "sign", "floor", "ceil", "round", "sort_key", "argmax", "argmin"})
"""Primitives whose parts are zero for all inputs."""


def rule(*names: str) -> Callable[[PrimitiveRule], PrimitiveRule]:
    """Register the decorated function for primitives of these names."""

    def register(function: PrimitiveRule) -> PrimitiveRule:
        add_rules(_RULES, names, function, lambda name: f"primitive {name!r} already has a Taylor rule")
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
        self, jaxpr: jex.Jaxpr, consts: Sequence[Any], inputs: Sequence[Jet], output_keys: Sequence[frozenset[int]]
    ) -> list[Jet]:
        """Jets of the outputs with the parts that are needed of them.

        Args:
            jaxpr: an open jaxpr.
            consts: values of its constants.
            inputs: jets of its inputs.
            output_keys: keys of the parts needed of each output, closed under the product rule.
        """
        needed = _needed(jaxpr, output_keys)

        def apply(eqn: jex.JaxprEqn, read: Callable[[Any], Jet]) -> list[Jet]:
            keys = frozenset[int]().union(*(needed.get(var, frozenset()) for var in eqn.outvars))
            return self._apply(eqn, [read(var).within(keys) for var in eqn.invars], keys)

        outputs = evaluate_jaxpr(jaxpr, consts, inputs, apply, Jet)
        return [jet.within(keys) for jet, keys in zip(outputs, output_keys, strict=True)]

    def _apply(self, eqn: jex.JaxprEqn, arguments: list[Jet], keys: frozenset[int]) -> list[Jet]:
        flat = eqn.primitive.name in _FLAT or not any(is_differentiable(var) for var in eqn.outvars)
        if flat or not any(argument.parts for argument in arguments):
            return [Jet(value) for value in bind_equation(eqn, [argument.value for argument in arguments])]
        return _RULES.get(eqn.primitive.name, self.fallback)(self, eqn, arguments, keys)


def is_differentiable(var: Any) -> bool:
    """Whether a variable holds floating-point or complex numbers."""
    return jnp.issubdtype(var.aval.dtype, jnp.inexact)


def _needed(jaxpr: jex.Jaxpr, output_keys: Sequence[frozenset[int]]) -> dict[Any, frozenset[int]]:
    """Keys whose parts are needed of each variable, found from the outputs backwards."""
    needed: dict[Any, frozenset[int]] = {}

    def note(var: Any, keys: frozenset[int]) -> None:
        if not isinstance(var, jex.Literal) and is_differentiable(var):
            needed[var] = needed.get(var, frozenset()) | keys

    for var, keys in zip(jaxpr.outvars, output_keys, strict=True):
        note(var, keys)
    for eqn in reversed(jaxpr.eqns):
        if eqn.primitive.name in _FLAT:
            continue
        keys = frozenset[int]().union(*(needed.get(var, frozenset()) for var in eqn.outvars))
        for var in eqn.invars:
            note(var, keys)
    return needed
