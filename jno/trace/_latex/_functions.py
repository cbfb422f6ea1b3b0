"""How functions are written: a table from the title of a `FunctionCall` to its notation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .._operations import FunctionCall
from ._formula import (
    Formula,
    Level,
    Symbol,
    added,
    applied,
    between,
    divided,
    infix,
    multiplied,
    prefixed,
    raised,
    subtracted,
    visible_length,
)
from ._losses import LOSSES
from ._reductions import length
from ._words import column, escaped, number_formula

Notation: TypeAlias = Callable[..., Formula]
"""From the formulas of the arguments; with ``options=`` also from what else the function was told."""

_LONGEST_EXPONENT = 14
_ONE = Formula("1", is_number=True)


def function_formula(node: FunctionCall, arguments: list[Formula], mean: str) -> Formula:
    """A function of arguments; one that has no notation by its title.

    Args:
        node: the function.
        arguments: the formulas of its arguments.
        mean: what takes a mean, ``\\frac{1}{N} \\sum``.
    """
    title = node.title
    if title.startswith("component["):
        return component(arguments[0], int(title[len("component[") : -1]))
    loss = LOSSES.get(title)
    if loss is not None and len(arguments) == 2:
        prediction, target = arguments
        return loss(prediction, target, mean, options_of(node))
    if title in OPTIONS:
        return OPTIONS[title](*arguments, options=options_of(node))
    if title in FUNCTIONS:
        return FUNCTIONS[title](*arguments)
    return applied(_named(title), *arguments) if arguments else Formula(_named(title))


def options_of(node: FunctionCall) -> Mapping[str, Any]:
    """What a function was told beside its arguments."""
    return node.fn.keywords if isinstance(node.fn, functools.partial) else {}


def component(vector: Formula, position: int | str) -> Formula:
    """A component; on paper they are counted from one."""
    below = str(position + 1) if isinstance(position, int) else position
    symbol = vector.symbol
    if symbol is not None:
        return Symbol(symbol.base, (*symbol.subscripts, below), symbol.arguments, symbol.bare).formula()
    return Formula(f"{vector.at(Level.ATOM)}_{{{below}}}")


def _named(title: str) -> str:
    return rf"\operatorname{{{escaped(title)}}}"


# --- functions of numbers -----------------------------------------------------------------------------------------
def _called(name: str) -> Notation:
    return lambda *arguments: applied(name, *arguments)


def _of_sides(left: str, right: str) -> Notation:
    return lambda operand: between(left, operand, right)


def _operator(name: str) -> Notation:
    return lambda operand: prefixed(name, operand, Level.PREFIX)


def _infix(operator: str) -> Notation:
    return lambda left, right: infix(operator, left, right, Level.PRODUCT)


def _power(exponent: str) -> Notation:
    return lambda operand: Formula(f"{operand.at(Level.ATOM)}^{{{exponent}}}", Level.POWER)


def _exponential(operand: Formula) -> Formula:
    if visible_length(operand.text) <= _LONGEST_EXPONENT and r"\left" not in operand.text:
        return Formula(f"e^{{{operand.text}}}", Level.POWER)
    return applied(r"\exp", operand)


def _cases(condition: Formula, chosen: Formula, otherwise: Formula) -> Formula:
    rows = rf"{chosen.text} & \mathrm{{if}}\ {condition.text} \\ {otherwise.text} & \mathrm{{otherwise}}"
    return Formula(rf"\begin{{cases}} {rows} \end{{cases}}", Level.PRODUCT)


def _stacked(*entries: Formula) -> Formula:
    return column(entries)


def _square(operand: Formula) -> Formula:
    return raised(operand, number_formula(2))


FUNCTIONS: dict[str, Notation] = {
    **{name: _called(f"\\{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos")},
    **{name: _called(rf"\operatorname{{{name}}}") for name in ("arcsinh", "arccosh", "arctanh", "sign")},
    "arctan": _called(r"\arctan"),
    "arctan2": _called(r"\operatorname{atan2}"),
    "exp": _exponential,
    "exp2": lambda operand: raised(number_formula(2), operand),
    "expm1": lambda operand: subtracted(_exponential(operand), _ONE),
    "log": _called(r"\log"),
    "log2": _called(r"\log_{2}"),
    "log10": _called(r"\log_{10}"),
    "log1p": lambda operand: applied(r"\log", added(_ONE, operand)),
    "sqrt": lambda operand: Formula(rf"\sqrt{{{operand.text}}}"),
    "cbrt": lambda operand: Formula(rf"\sqrt[3]{{{operand.text}}}"),
    "square": _square,
    "abs": _of_sides("|", "|"),
    "floor": _of_sides(r"\lfloor", r"\rfloor"),
    "ceil": _of_sides(r"\lceil", r"\rceil"),
    "round": _of_sides(r"\lfloor", r"\rceil"),
    "power": raised,
    "maximum": _called(r"\max"),
    "minimum": _called(r"\min"),
    "where": _cases,
    # vectors and matrices at points
    "vector": _stacked,
    "concat": _stacked,
    "dot": _infix(r"\cdot"),
    "inner": _infix(r"\cdot"),
    "double_dot": _infix(":"),
    "cross": _infix(r"\times"),
    "matmul": multiplied,
    "trace": _operator(r"\operatorname{tr}"),
    "sym": _operator(r"\operatorname{sym}"),
    "antisym": _operator(r"\operatorname{skew}"),
    "symgrad": _operator(r"\operatorname{sym}"),
    "transpose": _power(r"\top"),
    "matrix_transpose": _power(r"\top"),
    "inv": _power("-1"),
    "pinv": _power("+"),
    "det": _operator(r"\det"),
    "eigvals": _called(r"\lambda"),
    "eigvalsh": _called(r"\lambda"),
    "svdvals": _called(r"\sigma"),
    "cholesky": _called(r"\operatorname{chol}"),
    "solve": lambda matrix, right: multiplied(_power("-1")(matrix), right),
    "cosine_similarity": lambda a, b: divided(infix(r"\cdot", a, b, Level.PRODUCT), multiplied(length(a), length(b))),
    # functions of the position
    "distance": _called("d"),
}


# --- functions with options -----------------------------------------------------------------------------------------
def _norm(operand: Formula, *, options: Mapping[str, Any]) -> Formula:
    order = options.get("ord")
    return length(operand, "" if order is None else {"inf": r"\infty", "-inf": r"-\infty"}.get(str(order), str(order)))


def _over(name: str) -> Notation:
    def reduced(operand: Formula, *, options: Mapping[str, Any]) -> Formula:
        return prefixed(name, operand, Level.PRODUCT) if name in (r"\sum", r"\prod") else applied(name, operand)

    return reduced


OPTIONS: dict[str, Notation] = {
    "norm": _norm,
    "sum": _over(r"\sum"),
    "prod": _over(r"\prod"),
    "mean": _over(r"\operatorname{mean}"),
    "median": _over(r"\operatorname{median}"),
    "std": _over(r"\operatorname{std}"),
    "var": _over(r"\operatorname{var}"),
    "max": _over(r"\max"),
    "min": _over(r"\min"),
    "matrix_power": lambda operand, options: raised(operand, number_formula(options.get("n", 1))),
}


def value_at(operand: Formula, places: str) -> Formula:
    """A value at a place."""
    return Formula(rf"\left. {operand.text} \right|_{{{places}}}", Level.POWER)


def alternatives(options: list[Formula]) -> Formula:
    """One of several expressions."""
    inside = r" \mid ".join(option.text for option in options)
    return Formula(rf"\left\{{ {inside} \right\}}")
