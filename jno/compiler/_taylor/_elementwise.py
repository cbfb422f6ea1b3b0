r"""Rules of elementwise primitives: :math:`f(z) = \sum_k f^{(k)}(z_0)\,(\delta z)^k/k!` (Faà di Bruno's formula).

The derivatives :math:`f^{(k)}` are computed once and serve all parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex
from numpy.polynomial import Polynomial

from jno.utils import bind_equation, shape_of

from ._interpreter import Pass, rule
from ._jets import Jet, Part, Parts, add, cross, jet_of_rank, scaled, times, with_values

Derivatives = Callable[[Part, Part, int, jex.JaxprEqn], Sequence[Part | None]]
"""``(argument, value, count, equation) -> [f', f'', …]``, ``count`` of them."""


def compose(
    taylor: Pass, jet: Jet, value: Part, keys: frozenset[int], derivatives: Callable[[int], Sequence[Part | None]]
) -> Jet:
    """Jet of ``f(z)``, ``f`` given by its value and derivatives at the value of ``z``."""
    rank = jnp.ndim(value)
    powers = _powers(taylor, jet.parts, keys, rank)
    slopes = derivatives(len(powers))
    parts: Parts = {}
    for key in [key for key in taylor.streams.keys if key in keys]:
        total = None
        for slope, power in zip(slopes, powers, strict=True):
            if key in power and slope is not None:
                total = add(total, with_values(key, times, power[key], slope))
        if total is not None:
            parts[key] = total
    return Jet(value, parts)


def _powers(taylor: Pass, parts: Parts, keys: frozenset[int], rank: int) -> list[Parts]:
    r"""Parts of :math:`(\delta z)^k/k!` for k = 1, 2, … as long as there are any."""
    powers = [{key: part for key, part in parts.items() if key in keys}]
    while powers[-1]:
        count = len(powers) + 1
        following: Parts = {}
        for key in keys:
            mixed = cross(taylor.streams, key, powers[0], powers[-1], times, (rank,) * 3, 1.0 / count)
            if mixed is not None:
                following[key] = mixed
        powers.append(following)
    return powers[:-1]


# --- derivatives of single functions ---------------------------------------------------------------------------------
def _factored(
    derivative: Callable[[Part, Part], Part], slope: Polynomial, inner: Polynomial, of_value: bool
) -> Derivatives:
    """Derivatives ``f' Q_k(w)``: ``Q_1 = 1``, ``Q_{k+1} = inner Q_k' + slope Q_k`` with ``w`` the value or argument."""

    def derivatives(z: Part, value: Part, count: int, eqn: jex.JaxprEqn) -> Sequence[Part | None]:
        lead = derivative(z, value)
        variable = value if of_value else z
        factor, slopes = Polynomial([1.0]), [lead]
        for _ in range(count - 1):
            factor = factor.deriv() * inner + slope * factor
            slopes.append(lead * _horner(factor, variable))
        return slopes

    return derivatives


def _horner(polynomial: Polynomial, variable: Part) -> Part:
    """The polynomial at ``variable``, of whose powers only every second occurs in odd and even ones."""
    coefficients = [float(c) for c in polynomial.coef]
    odd, even = not any(coefficients[::2]), not any(coefficients[1::2])
    if (odd or even) and len(coefficients) > 2:
        inside = _horner(Polynomial(coefficients[int(odd) :: 2]), variable * variable)
        return variable * inside if odd else inside
    total = jnp.asarray(coefficients[-1], dtype=variable.dtype)
    for c in reversed(coefficients[:-1]):
        total = total * variable + c if c else total * variable
    return total


def _falling(power: int | float) -> Derivatives:
    """Derivatives of ``z ** power``; an integer power has finitely many."""

    def derivatives(z: Part, value: Part, count: int, eqn: jex.JaxprEqn) -> Sequence[Part | None]:
        slopes: list[Part | None] = []
        factor = 1.0
        for k in range(1, count + 1):
            factor *= power - k + 1
            left = power - k
            exponent = int(left) if float(left).is_integer() else left
            slopes.append(
                None if factor == 0 else scaled(factor, z**exponent) if exponent else jnp.full_like(z, factor)
            )
        return slopes

    return derivatives


def _integer_power(z: Part, value: Part, count: int, eqn: jex.JaxprEqn) -> Sequence[Part | None]:
    return _falling(eqn.params["y"])(z, value, count, eqn)


def _square_root(power: float) -> Derivatives:
    """Derivatives of ``z ** power`` from the value; the first is infinite, not undefined, at zero."""

    def derivatives(z: Part, value: Part, count: int, eqn: jex.JaxprEqn) -> Sequence[Part | None]:
        slopes = [0.5 / value if power == 0.5 else scaled(power, value / z)]
        for k in range(1, count):
            slopes.append(scaled(power - k, slopes[-1] / z))
        return slopes

    return derivatives


def _logarithm(shift: float) -> Derivatives:
    def derivatives(z: Part, value: Part, count: int, eqn: jex.JaxprEqn) -> Sequence[Part | None]:
        inverse = 1.0 / (z + shift) if shift else 1.0 / z
        slopes = [inverse]
        for k in range(1, count):
            slopes.append(scaled(-float(k), slopes[-1] * inverse))
        return slopes

    return derivatives


def _cycle(*functions: Callable[[Part], Part]) -> Derivatives:
    def derivatives(z: Part, value: Part, count: int, eqn: jex.JaxprEqn) -> Sequence[Part | None]:
        return [functions[k % len(functions)](z) for k in range(count)]

    return derivatives


def _exponential(shift: float) -> Derivatives:
    def derivatives(z: Part, value: Part, count: int, eqn: jex.JaxprEqn) -> Sequence[Part | None]:
        return [value + shift if shift else value] * count

    return derivatives


_GAUSS = 2.0 / math.sqrt(math.pi)

_TABLE: dict[str, Derivatives] = {
    "tanh": _factored(lambda z, t: 1.0 - t * t, Polynomial([0, -2.0]), Polynomial([1.0, 0, -1.0]), True),
    "logistic": _factored(lambda z, s: s * (1.0 - s), Polynomial([1.0, -2.0]), Polynomial([0, 1.0, -1.0]), True),
    "erf": _factored(lambda z, v: _GAUSS * jnp.exp(-z * z), Polynomial([0, -2.0]), Polynomial([1.0]), False),
    "erfc": _factored(lambda z, v: -_GAUSS * jnp.exp(-z * z), Polynomial([0, -2.0]), Polynomial([1.0]), False),
    "sin": _cycle(jnp.cos, lambda z: -jnp.sin(z), lambda z: -jnp.cos(z), jnp.sin),
    "cos": _cycle(lambda z: -jnp.sin(z), lambda z: -jnp.cos(z), jnp.sin, jnp.cos),
    "sinh": _cycle(jnp.cosh, jnp.sinh),
    "cosh": _cycle(jnp.sinh, jnp.cosh),
    "exp": _exponential(0.0),
    "expm1": _exponential(1.0),
    "log": _logarithm(0.0),
    "log1p": _logarithm(1.0),
    "sqrt": _square_root(0.5),
    "rsqrt": _square_root(-0.5),
    "square": _falling(2),
    "integer_pow": _integer_power,
}


def by_jvp(function: Callable[[Part], Part], z: Part, count: int) -> list[Part]:
    """Derivatives of an elementwise function by nested `jax.jvp` with tangents of ones."""
    slopes = []
    for _ in range(count):

        def function(w: Part, inner: Callable[[Part], Part] = function) -> Part:
            return jax.jvp(inner, (w,), (jnp.ones_like(w),))[1]

        slopes.append(function(z))
    return slopes


def _register(name: str, derivatives: Derivatives) -> None:
    def apply(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
        z = jets[0].value
        (value,) = bind_equation(eqn, [z])
        return [compose(taylor, jets[0], value, keys, lambda count: derivatives(z, value, count, eqn))]

    rule(name)(apply)


for _name, _derivatives in _TABLE.items():
    _register(_name, _derivatives)


@rule(
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "tan"),
    *("cbrt", "digamma", "erf_inv", "exp2", "lgamma", "bessel_i0e", "bessel_i1e"),
)
def _one_argument(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    return [elementwise_call(taylor, eqn, jets, keys)]


@rule("pow")
def _power(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    if jets[1].parts or jnp.ndim(jets[0].value) != len(shape_of(eqn.outvars[0])):
        return taylor.fallback(taylor, eqn, jets, keys)
    return [elementwise_call(taylor, eqn, jets, keys)]


def elementwise_call(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> Jet:
    """Jet of an equation known to act elementwise on its only operand that has parts."""
    (active,) = [place for place, jet in enumerate(jets) if jet.parts]
    values = [jet.value for jet in jets]

    def function(z: Part) -> Part:
        return bind_equation(eqn, [*values[:active], z, *values[active + 1 :]])[0]

    z = jnp.asarray(values[active])
    return compose(taylor, jets[active], function(z), keys, lambda count: by_jvp(function, z, count))


# --- piecewise linear ------------------------------------------------------------------------------------------------
@rule("abs")
def _absolute(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    if jnp.iscomplexobj(jets[0].value):
        return taylor.fallback(taylor, eqn, jets, keys)
    (value,) = bind_equation(eqn, [jets[0].value])
    sign = jnp.where(jets[0].value >= 0, 1, -1).astype(value.dtype)  # 1 at zero, as `jax.jvp` has it
    return [_weighted(jets, [sign], value)]


@rule("max", "min")
def _extremum(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """The part of the operand that is chosen; half of both where they are equal, as `jax.jvp` does."""
    left, right = (jet.value for jet in jets)
    (value,) = bind_equation(eqn, [left, right])
    half = np.asarray(0.5, dtype=value.dtype)
    equal = jnp.where(left == right, half, half * 2)
    weights = [jnp.where(operand == value, equal, half * 0) for operand in (left, right)]
    return [_weighted(jets, weights, value)]


@rule("clamp")
def _clamp(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    low, operand, high = (jet.value for jet in jets)
    if jets[0].parts or jets[2].parts:
        return taylor.fallback(taylor, eqn, jets, keys)
    (value,) = bind_equation(eqn, [low, operand, high])
    return [_selected([jets[1]], [(operand > low) & (operand < high)], value)]


@rule("select_n")
def _select(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    which, *cases = jets
    (value,) = bind_equation(eqn, [jet.value for jet in jets])
    weights = [jnp.where(which.value == number, 1, 0).astype(bool) for number in range(len(cases))]
    return [_selected(cases, weights, value)]


def _weighted(jets: Iterable[Jet], weights: Iterable[Part], value: Part) -> Jet:
    """Sum of the operands' parts times weights of the value's shape."""
    rank = jnp.ndim(value)
    parts: Parts = {}
    for jet, weight in zip(jets, weights, strict=True):
        for key, part in jet_of_rank(jet, rank).parts.items():
            parts[key] = add(parts.get(key), with_values(key, times, part, weight))
    return Jet(value, parts)


def _selected(jets: Iterable[Jet], masks: Iterable[Part], value: Part) -> Jet:
    """Like `_weighted` with booleans, but what is not chosen may be infinite."""
    rank = jnp.ndim(value)
    parts: Parts = {}
    for jet, mask in zip(jets, masks, strict=True):
        for key, part in jet_of_rank(jet, rank).parts.items():
            zero = jnp.asarray(0, dtype=part.dtype)
            pick = with_values(key, lambda p, m, o=zero: jnp.where(m, p, o), part, mask)
            parts[key] = add(parts.get(key), pick)
    return Jet(value, parts)


def acts_elementwise(jaxpr: jex.Jaxpr) -> bool:
    """Whether every equation of a jaxpr acts element by element (constants may be broadcast)."""
    for eqn in jaxpr.eqns:
        inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
        if eqn.primitive.name in ("jit", "pjit", "custom_jvp_call") and inner is not None:
            if not acts_elementwise(inner.jaxpr):
                return False
        elif eqn.primitive.name not in _ELEMENTWISE and not _broadcasts_scalar(eqn):
            return False
    return True


def _broadcasts_scalar(eqn: jex.JaxprEqn) -> bool:
    return eqn.primitive.name == "broadcast_in_dim" and not shape_of(eqn.invars[0])


_ELEMENTWISE = frozenset(_TABLE) | {
    *("neg", "sign", "floor", "ceil", "round", "is_finite", "abs", "clamp", "copy", "convert_element_type"),
    *("exp2", "tan", "atan", "asin", "acos", "asinh", "acosh", "atanh", "cbrt", "lgamma", "digamma", "erf_inv"),
    *("add", "add_any", "sub", "mul", "div", "rem", "pow", "max", "min", "atan2", "nextafter", "select_n"),
    *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not", "stop_gradient"),
}
