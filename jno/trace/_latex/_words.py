"""Names, numbers and regions as LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from .._coordinates import is_normal, region
from .._leaves import Variable
from ._formula import Formula, Level, SumTerm, Symbol, summed

_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "varphi", "chi", "psi", "omega"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
_SPECIAL = {
    **{character: f"\\{character}" for character in "#$%&_{}"},
    **{" ": r"\ ", "\\": r"\backslash{}", "^": r"\wedge{}", "~": r"\sim{}", "\n": r"\ "},
}
_DIGITS = 4
_LARGEST_DENOMINATOR = 12
_CLOSE = 1e-6
"""Relative distance below which a number is taken for a multiple of π: numbers of single precision are that far off."""


def escaped(text: str) -> str:
    """A text as it stands in ``\\mathrm{}``."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def upright(text: str) -> str:
    """A word."""
    return rf"\mathrm{{{escaped(text)}}}"


def symbol_of(name: str) -> Symbol:
    """A name as it is written on paper: ``u``, ``\\alpha``, ``k_{1}``, ``u_{x}``, ``\\mathrm{residual}``."""
    split = re.fullmatch(r"([^\W\d_]+)(?:_([^\W_]+)|(\d+))?", name)
    if split is None:
        return Symbol(upright(name))
    base, word, digits = split.groups()
    below = _letter(word) if word else digits
    return Symbol(_letter(base), (below,) if below else ())


def _letter(name: str) -> str:
    if name in _GREEK:
        return f"\\{name}"
    return name if len(name) == 1 or name.isdigit() else upright(name)


# --- numbers ------------------------------------------------------------------------------------------------------
def number_formula(value: Any) -> Formula:
    """A number; multiples of π and fractions with a small denominator are recognised."""
    number = complex(value)
    if number.imag:
        real, imaginary = _real(number.real), _real(abs(number.imag))
        unit = "i" if imaginary == "1" else f"{imaginary} i"
        terms = [SumTerm(number.real < 0, real)] if number.real else []
        return summed([*terms, SumTerm(number.imag < 0, unit)])
    size = _real(abs(number.real))
    if number.real < 0:
        return Formula(f"-{size}", Level.SUM, (SumTerm(True, size),), is_number=True)
    level = Level.PREFIX if size.startswith(r"\frac") else Level.ATOM if size[-1] != "}" else Level.POWER
    return Formula(size, Level.PRODUCT if " " in size else level, is_number=True)


def _real(size: float) -> str:
    if math.isnan(size):
        return upright("nan")
    if math.isinf(size):
        return r"\infty"
    if size == int(size) and size < 10**6:
        return str(int(size))
    return _multiple_of_pi(size) or _fraction(size) or _decimal(size)


def _multiple_of_pi(size: float) -> str:
    for power, sign in ((1, r"\pi"), (2, r"\pi^{2}"), (3, r"\pi^{3}")):
        factor = Fraction(size / math.pi**power).limit_denominator(_LARGEST_DENOMINATOR)
        if 0 < factor < 1000 and math.isclose(float(factor) * math.pi**power, size, rel_tol=_CLOSE):
            above = sign if factor.numerator == 1 else f"{factor.numerator} {sign}"
            return above if factor.denominator == 1 else rf"\frac{{{above}}}{{{factor.denominator}}}"
    shown = f"{size * math.pi:.3g}"
    is_plain = "e" not in shown and len(shown) <= _DIGITS
    if is_plain and len(f"{size:.7g}") > 6 and math.isclose(float(shown), size * math.pi, rel_tol=_CLOSE):
        return rf"\frac{{{shown}}}{{\pi}}"
    return ""


def _fraction(size: float) -> str:
    if math.isclose(float(f"{size:.{_DIGITS}g}"), size, rel_tol=_CLOSE):
        return ""  # a short decimal
    factor = Fraction(size).limit_denominator(_LARGEST_DENOMINATOR)
    if factor and math.isclose(float(factor), size, rel_tol=_CLOSE):
        return rf"\frac{{{factor.numerator}}}{{{factor.denominator}}}"
    return ""


def _decimal(size: float) -> str:
    mantissa, _, exponent = f"{size:.{_DIGITS}g}".partition("e")
    if not exponent:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def value_formula(value: Any) -> Formula:
    """A number, a short vector by its entries, another array by its shape."""
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        array = array.astype(np.float64)
    if array.ndim == 0:
        return number_formula(array.item())
    if array.ndim == 1 and 0 < array.size <= _DIGITS:
        return column(number_formula(entry) for entry in array.tolist())
    shape = r" \times ".join(map(str, array.shape))
    return Formula(rf"\mathbf{{A}}_{{{shape}}}")


def column(entries: Iterable[Formula]) -> Formula:
    """A vector."""
    inside = r" \\ ".join(entry.text for entry in entries)
    return Formula(rf"\begin{{pmatrix}} {inside} \end{{pmatrix}}")


# --- regions ------------------------------------------------------------------------------------------------------
def region_symbol(variables: Iterable[Variable]) -> str:
    """The region that variables range over, empty where there is none or several."""
    space = [variable for variable in variables if variable.axis == "spatial"]
    tags = {region(variable) for variable in space}
    if len(tags) != 1:
        return ""
    (tag,) = tags
    if tag in _REGIONS:
        return _REGIONS[tag]
    return rf"\Gamma_{{{upright(tag)}}}" if is_boundary(space[0]) else rf"\Omega_{{{upright(tag)}}}"


_REGIONS = {"interior": r"\Omega", "boundary": r"\partial\Omega", "initial": "t = t_0"}


def is_boundary(variable: Variable) -> bool:
    """Whether the points of a variable lie on the boundary of its domain."""
    if is_normal(variable) or region(variable) == "boundary":
        return True
    return variable.domain is not None and region(variable) in variable.domain.boundary_tags()


def measure(variables: Iterable[Variable], symbols: Iterable[str]) -> str:
    """The differential of an integral over the region of variables."""
    listed = list(variables)
    if any(is_boundary(variable) for variable in listed if variable.axis == "spatial"):
        return "ds"
    names = list(symbols)
    return r" \, ".join(f"d{name}" for name in names) if names else "dx"
