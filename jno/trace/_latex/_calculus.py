"""How derivatives and integrals are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .._coordinates import binds, free_variables, is_normal
from .._derivatives import Derivative, DerivativeSum, Hessian, Jacobian
from .._integrals import Integral, IntegralTime
from .._leaves import Variable
from .._node import Node
from ._formula import (
    Differential,
    Formula,
    Level,
    added,
    bracketed,
    multiplied,
    visible_length,
)
from ._symbols import Symbols
from ._words import measure, number_formula, region_symbol

_LONGEST_NUMERATOR = 8


def derivative_formula(node: Derivative, operand: Formula, symbols: Symbols) -> Formula:
    """Derivatives of an operand; those of derivatives are gathered to one of higher order."""
    match node:
        case Jacobian(variables=(_,)):
            return _partial(node.variables, operand, symbols, 1)
        case Hessian(trace=True, variables=(_,)):
            return _partial(node.variables, operand, symbols, 2)
        case Jacobian():
            return _nabla(r"\nabla", node.variables, operand, symbols)
        case Hessian(trace=True):
            return _laplacian(node.variables, operand, symbols)
        case Hessian():
            return _nabla(r"\nabla^{2}", node.variables, operand, symbols)
        case DerivativeSum():
            return _sum(node, operand, symbols)
    raise TypeError(f"no notation for {type(node).__name__}")


def _partial(variables: Sequence[Variable], operand: Formula, symbols: Symbols, order: int) -> Formula:
    (variable,) = variables
    is_vector = variable.dim[1] != variable.dim[0] + 1
    name = "n" if is_vector and is_normal(variable) else symbols.variable(variable)
    gathered = operand.differential
    if gathered is None or gathered.laplacians:
        gathered = Differential(operand)
    orders = dict(gathered.orders)
    orders[name] = orders.get(name, 0) + order
    return _written(Differential(gathered.operand, tuple(orders.items())))


def _written(derivative: Differential) -> Formula:
    """``\\frac{\\partial^{2} u}{\\partial x^{2}}``, of a long operand behind the fraction."""
    total = sum(order for _, order in derivative.orders)
    above = r"\partial" if total == 1 else rf"\partial^{{{total}}}"
    below = r" \, ".join(_differential(name, order) for name, order in sorted(derivative.orders, key=_place))
    operand = derivative.operand
    if _fits_above(operand):
        text = rf"\frac{{{above} {operand.text}}}{{{below}}}"
    else:
        text = rf"\frac{{{above}}}{{{below}}} {operand.text if operand.symbol else bracketed(operand.text)}"
    return Formula(text, Level.PREFIX, differential=derivative)


def _fits_above(operand: Formula) -> bool:
    if operand.symbol is not None:
        return operand.symbol.bare or not operand.symbol.arguments
    is_tall = operand.text.startswith((r"\left", r"\frac", r"\begin"))
    return operand.level == Level.ATOM and visible_length(operand.text) <= _LONGEST_NUMERATOR and not is_tall


def _differential(name: str, order: int) -> str:
    if order == 1:
        return rf"\partial {name}"
    return rf"\partial {name}^{{{order}}}" if "'" not in name else rf"\partial {{{name}}}^{{{order}}}"


def _place(order: tuple[str, int]) -> tuple[bool, str]:
    """Space before time."""
    return order[0].startswith("t"), order[0]


def _below(variables: Sequence[Variable], symbols: Symbols) -> str:
    """The variables as a subscript, where they are not all coordinates of the points."""
    domain = variables[0].domain
    names = [symbols.variable(variable) for variable in variables]
    is_space = all(variable.axis == "spatial" for variable in variables)
    if is_space and (domain is None or len(set(names)) == domain.dimension) and not any("'" in name for name in names):
        return ""
    return f"_{{{', '.join(names)}}}"


def _nabla(sign: str, variables: Sequence[Variable], operand: Formula, symbols: Symbols) -> Formula:
    below = _below(variables, symbols)
    text = f"{sign}{below} {operand.at(Level.PREFIX)}"
    return Formula(text, Level.PREFIX)


def _laplacian(variables: Sequence[Variable], operand: Formula, symbols: Symbols) -> Formula:
    below = _below(variables, symbols)
    gathered = operand.differential
    if gathered is None or below or not gathered.laplacians:
        gathered = Differential(operand)
    gathered = dataclasses.replace(gathered, laplacians=gathered.laplacians + 1)
    power = "" if gathered.laplacians == 1 else f"^{{{gathered.laplacians}}}"
    text = rf"\Delta{power}{below} {gathered.operand.at(Level.PREFIX)}"
    return Formula(text, Level.PREFIX, differential=None if below else gathered)


def _sum(node: DerivativeSum, operand: Formula, symbols: Symbols) -> Formula:
    total: Formula | None = None
    for coefficient, positions in node.terms:
        term = operand
        for position in positions:
            term = _partial((node.variables[position],), term, symbols, 1)
        weighted = multiplied(number_formula(coefficient), term)
        total = weighted if total is None else added(total, weighted)
    return operand if total is None else total


# --- integrals ----------------------------------------------------------------------------------------------------
def integral_formula(node: Integral | IntegralTime, operand: Formula, symbols: Symbols) -> Formula:
    """An integral over the region of the variables that it binds, or over time."""
    if isinstance(node, IntegralTime):
        return integral_of(r"\int", operand, f"d{symbols.variable(node.time_var)}")
    inner = [variable for variable in free_variables(node.target) if binds(node, variable)]
    return over_region(inner, operand, symbols)


def over_region(variables: Sequence[Variable], operand: Formula, symbols: Symbols) -> Formula:
    """An integral over the region of variables."""
    place = region_symbol(variables)
    sign = rf"\int_{{{place}}}" if place else r"\int"
    names = symbols.coordinates(_all_coordinates(variables))
    return integral_of(sign, operand, measure(variables, names))


def _all_coordinates(variables: Sequence[Variable]) -> list[Variable]:
    """The coordinates of the points of variables, also those that the integrand does not depend on."""
    space = [variable for variable in variables if variable.axis == "spatial" and not is_normal(variable)]
    if not space or space[0].domain is None:
        return space
    first = space[0]
    return [Variable(first.tag, (i, i + 1), first.domain, copy=first.copy) for i in range(first.domain.dimension)]


def integral_of(sign: str, operand: Formula, differential: str) -> Formula:
    """An integral, which may be written apart from a long integrand."""
    end = rf"\, {differential}"
    text = f"{sign} {operand.at(Level.PRODUCT)} {end}"
    return Formula(text, Level.PRODUCT, wrapped=(f"{sign} ", operand, end))


def mean_sign(target: Node) -> str:
    """What takes the mean over the points of an expression."""
    place = region_symbol(free_variables(target))
    return r"\frac{1}{N} \sum" + (f"_{{{place}}}" if place else "")
