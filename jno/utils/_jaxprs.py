"""Walking through a jaxpr: its equations one after the other, or all of those it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import jax
from jax.extend import core as jex

_Value = TypeVar("_Value")


def evaluate_jaxpr(
    jaxpr: jex.Jaxpr,
    consts: Sequence[Any],
    inputs: Sequence[_Value],
    apply: Callable[[jex.JaxprEqn, Callable[[Any], _Value]], Sequence[_Value]],
    constant: Callable[[Any], _Value],
) -> list[_Value]:
    """Values of the outputs of a jaxpr whose equations are evaluated by ``apply``.

    Args:
        jaxpr: an open jaxpr.
        consts: arrays of its constants.
        inputs: values of its inputs, arrays or something that stands for them.
        apply: results of an equation; its second argument reads the value of a variable.
        constant: the value that stands for an array which does not depend on the inputs.
    """
    values: dict[jex.Var, _Value] = dict(zip(jaxpr.constvars, map(constant, consts), strict=True))
    values.update(zip(jaxpr.invars, inputs, strict=True))

    def read(var: Any) -> _Value:
        return constant(var.val) if isinstance(var, jex.Literal) else values[var]

    for eqn in jaxpr.eqns:
        values.update(zip(eqn.outvars, apply(eqn, read), strict=True))
    return [read(var) for var in jaxpr.outvars]


def shape_of(var: jex.Var | jex.Literal) -> tuple[int, ...]:
    """Shape of the arrays a variable stands for."""
    aval: Any = var.aval
    return tuple(aval.shape)


def equations_within(eqn: jex.JaxprEqn) -> Iterator[jex.JaxprEqn]:
    """All equations of the jaxprs an equation holds."""
    for value in jax.tree_util.tree_leaves(list(eqn.params.values()), is_leaf=_is_jaxpr):
        if _is_jaxpr(value):
            for inner in value.eqns:
                yield inner
                yield from equations_within(inner)


def _is_jaxpr(value: object) -> bool:
    return isinstance(value, jex.Jaxpr | jex.ClosedJaxpr)
