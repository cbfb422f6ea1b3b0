"""How much work a jaxpr is, estimated: what decides whether a result is worth keeping.

The unit is one operation of a large matrix product.  On a CPU an element-wise operation takes as long as several of
them, because it is done for fewer entries at a time, and a transcendental function ten times longer again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import jax
from jax.extend import core as jex

from jno.utils import shape_of

_ELEMENT = 8.0
_TRANSCENDENTAL = 80.0
_LOOKED_UP = 24.0

_MOVING = frozenset(
    (
        *(
            "broadcast_in_dim",
            "reshape",
            "squeeze",
            "expand_dims",
            "transpose",
            "slice",
            "convert_element_type",
            "copy",
        ),
        *("stop_gradient", "iota", "rev", "concatenate", "pad", "device_put", "bitcast_convert_type"),
    )
)
"""Primitives that only say where entries lie, and are fused with what reads them."""

_WORK = {
    **dict.fromkeys(("div", "sqrt", "rsqrt", "rem", "atan2", "cbrt"), 3 * _ELEMENT),
    **dict.fromkeys(("gather", "dynamic_slice", "scatter-add", "scatter", "select_and_scatter_add"), _LOOKED_UP),
    **dict.fromkeys(
        (
            *("exp", "exp2", "expm1", "log", "log1p", "pow", "sin", "cos", "tan", "tanh", "logistic", "erf", "erfc"),
            *("asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erf_inv", "lgamma", "digamma"),
            *("bessel_i0e", "bessel_i1e", "igamma", "igammac", "regularized_incomplete_beta", "sort", "top_k"),
        ),
        _TRANSCENDENTAL,
    ),
}
"""Primitive → work for an entry of the result."""

_ROUNDS = 10
"""How often the body of a loop is taken to run whose number of rounds is not known."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What one output of a jaxpr takes.

    Attributes:
        amount: the estimate; what several outputs share counts for each.
        zero: whether the output is zero whatever the inputs are.
    """

    amount: float
    zero: bool


def work_of_outputs(closed: jex.ClosedJaxpr) -> list[Work]:
    """What every output takes."""
    jaxpr = closed.jaxpr
    makers = {var: number for number, eqn in enumerate(jaxpr.eqns) for var in eqn.outvars}
    amounts = [_work(eqn) for eqn in jaxpr.eqns]
    found = []
    for output in jaxpr.outvars:
        cone = _cone(jaxpr, output, makers)
        found.append(Work(math.fsum(amounts[number] for number in cone), _is_zero(jaxpr, output, makers)))
    return found


def _cone(jaxpr: jex.Jaxpr, output: Any, makers: dict[Any, int]) -> set[int]:
    """Numbers of the equations that an output follows from."""
    cone: set[int] = set()
    stack = [output]
    while stack:
        var = stack.pop()
        number = None if isinstance(var, jex.Literal) else makers.get(var)
        if number is not None and number not in cone:
            cone.add(number)
            stack.extend(jaxpr.eqns[number].invars)
    return cone


def _is_zero(jaxpr: jex.Jaxpr, output: Any, makers: dict[Any, int]) -> bool:
    """Whether an output is a zero that was only broadcast or reshaped."""
    var = output
    while not isinstance(var, jex.Literal):
        number = makers.get(var)
        if number is None or jaxpr.eqns[number].primitive.name not in _MOVING or len(jaxpr.eqns[number].invars) != 1:
            return False
        var = jaxpr.eqns[number].invars[0]
    return bool(var.val == 0)


def _work(eqn: jex.JaxprEqn) -> float:
    name = eqn.primitive.name
    inner = [
        value for value in jax.tree_util.tree_leaves(list(eqn.params.values()), is_leaf=_is_jaxpr) if _is_jaxpr(value)
    ]
    if inner:
        rounds = eqn.params.get("length", 1) if name == "scan" else _ROUNDS if name == "while" else 1
        within = [math.fsum(map(_work, body.eqns)) for body in inner]
        return rounds * (max(within) if name == "cond" else math.fsum(within))
    if name in _MOVING:
        return 0.0
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return 2.0 * _entries(eqn.outvars) * math.prod(shape_of(eqn.invars[0])[axis] for axis in contracted)
    if name.startswith(("reduce", "cum", "arg")):
        return _ELEMENT * _entries(eqn.invars)
    return _WORK.get(name, _ELEMENT) * _entries(eqn.outvars)


def _entries(variables: Iterable[Any]) -> int:
    return max((math.prod(shape_of(var)) for var in variables), default=0)


def _is_jaxpr(value: object) -> bool:
    return isinstance(value, jex.Jaxpr | jex.ClosedJaxpr)
