"""Proving that the points of an expression do not influence each other, by a look at its jaxpr: nothing is compiled.

The axis that runs over the points is followed from the coordinates through all equations. Where every equation on the
way leaves the entries along it apart, the value at a point follows from that point. What is not understood (a
convolution, a loop, an index that is computed) proves nothing, and a test with numbers has to tell.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from jax.extend import core as jex

from jno.utils import evaluate_jaxpr, shape_of

UNKNOWN = -1
"""Stands for an axis where the points may meet."""

Axis: TypeAlias = int | None
"""Which axis runs over the points; None: the value does not depend on them; or `UNKNOWN`."""

_Rule: TypeAlias = Callable[[jex.JaxprEqn, Sequence[Axis]], list[Axis]]


def point_axes(jaxpr: jex.ClosedJaxpr, axes: Sequence[Axis]) -> list[Axis]:
    """The axis of every output that runs over the points, given those of the inputs."""
    return evaluate_jaxpr(jaxpr.jaxpr, jaxpr.consts, axes, _of_equation, lambda constant: None)


def _of_equation(eqn: jex.JaxprEqn, read: Callable[[Any], Axis]) -> list[Axis]:
    axes = [read(var) for var in eqn.invars]
    if all(axis is None for axis in axes):
        return [None] * len(eqn.outvars)
    rule = _RULES.get(eqn.primitive.name)
    if rule is None or UNKNOWN in axes:
        return [UNKNOWN] * len(eqn.outvars)
    return rule(eqn, axes)


def _common(axes: Sequence[Axis]) -> int:
    """The axis of operands whose axes are the same."""
    different = {axis for axis in axes if axis is not None}
    return different.pop() if len(different) == 1 else UNKNOWN


def _elementwise(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    return [_common(axes)] * len(eqn.outvars)


def _call(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    inner = next(eqn.params[name] for name in ("jaxpr", "call_jaxpr", "fun_jaxpr") if name in eqn.params)
    if isinstance(inner, jex.ClosedJaxpr):
        return point_axes(inner, axes)
    return evaluate_jaxpr(inner, (), axes, _of_equation, lambda constant: None)


def _broadcast(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    axis = _common(axes[:1])
    target = int(eqn.params["broadcast_dimensions"][axis])
    same_length = shape_of(eqn.invars[0])[axis] == shape_of(eqn.outvars[0])[target]
    return [target if same_length else UNKNOWN]


def _reshape(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    """The axis that is as long and has as many entries before it."""
    axis, before, after = _common(axes[:1]), shape_of(eqn.invars[0]), shape_of(eqn.outvars[0])
    if eqn.params.get("dimensions") is not None:
        return [UNKNOWN]
    stride = math.prod(before[:axis])
    fits = (n for n, size in enumerate(after) if size == before[axis] and math.prod(after[:n]) == stride)
    return [next(fits, UNKNOWN)]


def _transpose(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    return [eqn.params["permutation"].index(_common(axes))]


def _without(name: str) -> _Rule:
    """The rule of what removes the axes in a parameter: by a sum over them, or because they have one entry."""

    def rule(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
        axis, removed = _common(axes), [int(number) for number in eqn.params[name]]
        return [UNKNOWN if axis in removed else axis - sum(other < axis for other in removed)] * len(eqn.outvars)

    return rule


def _along_others(name: str) -> _Rule:
    """The rule of what mixes the entries along the axis, or axes, in a parameter only."""

    def rule(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
        axis, mixed = _common(axes), eqn.params[name]
        return [UNKNOWN if axis in (mixed if isinstance(mixed, tuple) else (mixed,)) else axis] * len(eqn.outvars)

    return rule


def _slice(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    """Also `dynamic_slice`, whose first place is an operand: it cannot move where all entries are taken."""
    axis = _common(axes[:1]) if all(other is None for other in axes[1:]) else UNKNOWN
    return [axis if shape_of(eqn.invars[0])[axis] == shape_of(eqn.outvars[0])[axis] else UNKNOWN]


def _pad(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    axis = _common(axes[:1]) if axes[1] is None else UNKNOWN
    return [axis if axis != UNKNOWN and not any(eqn.params["padding_config"][axis]) else UNKNOWN]


@dataclasses.dataclass(frozen=True)
class _ProductOperand:
    """One operand of a product: which of its axes are summed over, and which it has in common with the other."""

    rank: int
    contracted: tuple[int, ...]
    batch: tuple[int, ...]

    @property
    def free(self) -> list[int]:
        """The axes of the product that are of this operand alone, in their order."""
        return [axis for axis in range(self.rank) if axis not in (*self.contracted, *self.batch)]


def _dot_general(eqn: jex.JaxprEqn, axes: Sequence[Axis]) -> list[Axis]:
    """The axes of a product are the common ones, those of the left operand alone, those of the right one alone."""
    contracted, batch = eqn.params["dimension_numbers"]
    left, right = (
        _ProductOperand(len(shape_of(var)), tuple(sums), tuple(common))
        for var, sums, common in zip(eqn.invars, contracted, batch, strict=True)
    )
    places = [
        _place(axis, factor, offset)
        for axis, factor, offset in ((axes[0], left, 0), (axes[1], right, len(left.free)))
        if axis is not None
    ]
    # the points of both operands meet, unless they are paired
    paired = len(places) == 1 or all(place < len(left.batch) for place in places)
    return [_common(places) if paired else UNKNOWN]


def _place(axis: int, factor: _ProductOperand, offset: int) -> int:
    """Where an axis of one operand is in the product."""
    if axis in factor.batch:
        return factor.batch.index(axis)
    return len(factor.batch) + offset + factor.free.index(axis) if axis in factor.free else UNKNOWN


_ELEMENTWISE = (
    *("add", "add_any", "sub", "mul", "div", "rem", "max", "min", "pow", "integer_pow", "square", "atan2", "nextafter"),
    *("neg", "sign", "abs", "floor", "ceil", "round", "is_finite", "not", "and", "or", "xor", "select_n", "clamp"),
    *("eq", "ne", "lt", "le", "gt", "ge", "exp", "exp2", "expm1", "log", "log1p", "logistic", "sqrt", "rsqrt", "cbrt"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("erf", "erfc", "erf_inv", "lgamma", "digamma", "real", "imag", "complex", "conj", "copy", "copy_p"),
    *("convert_element_type", "reduce_precision", "stop_gradient"),
)
_CALLS = (
    *("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"),
    *("remat2", "remat", "checkpoint"),
)
_REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "argmax", "argmin")

_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_CALLS, _call),
    **dict.fromkeys(_REDUCTIONS, _without("axes")),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "split"), _along_others("axis")),
    "squeeze": _without("dimensions"),
    "concatenate": _along_others("dimension"),
    "rev": _along_others("dimensions"),
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "transpose": _transpose,
    "slice": _slice,
    "dynamic_slice": _slice,
    "pad": _pad,
    "dot_general": _dot_general,
}
