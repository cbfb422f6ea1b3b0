"""How the nodes of the trace are written: a table from the type of a node to its notation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .._adaptive import AdaptiveWeight
from .._bound import Bound
from .._choice import Choice
from .._derivatives import Derivative, NetworkGradient
from .._evaluated_at import EvaluatedAt
from .._fields import FieldValue, Lag, Pin, WeakValue
from .._integrals import Integral, IntegralTime
from .._leaves import Constant, Literal, Noise, TensorTag, Variable
from .._model_call import ModelCall
from .._node import Node
from .._operations import BinaryOp, FunctionCall, GetItem, Print, Reduction, Reshape, Tracker, UnaryOp
from .._weighted_mean import reduced
from ._calculus import derivative_formula, integral_formula, mean_sign
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
    negated,
    prefixed,
    raised,
    subtracted,
)
from ._functions import alternatives, component, function_formula, value_at
from ._reductions import ABSOLUTE, SQUARED, mean_of
from ._symbols import Symbols, arguments_of
from ._words import symbol_of, upright, value_formula

NodeNotation: TypeAlias = Callable[[Any, list[Formula], Symbols], Formula]
_NOTATIONS: dict[type[Node], NodeNotation] = {}


def writes(*types: type[Node]) -> Callable[[NodeNotation], NodeNotation]:
    """Let a function write nodes of these types, from the formulas of their children."""

    def register(notation: NodeNotation) -> NodeNotation:
        _NOTATIONS.update(dict.fromkeys(types, notation))
        return notation

    return register


def node_formula(node: Node, children: list[Formula], symbols: Symbols) -> Formula:
    """A node; one of a type that has no notation by its title."""
    for kind in type(node).__mro__:
        if kind in _NOTATIONS:
            return _NOTATIONS[kind](node, children, symbols)
    name = rf"\operatorname{{{upright(node.describe())[8:-1]}}}"
    return applied(name, *children) if children else Formula(name)


# --- leaves -------------------------------------------------------------------------------------------------------
@writes(Variable)
def _variable(node: Variable, children: list[Formula], symbols: Symbols) -> Formula:
    return Formula(symbols.variable(node))


@writes(Literal)
def _literal(node: Literal, children: list[Formula], symbols: Symbols) -> Formula:
    return value_formula(node.value)


@writes(Constant)
def _constant(node: Constant, children: list[Formula], symbols: Symbols) -> Formula:
    return symbol_of(node.tag.rpartition(".")[2]).formula()


@writes(TensorTag)
def _data(node: TensorTag, children: list[Formula], symbols: Symbols) -> Formula:
    data = symbol_of(node.metadata.label or node.tag).formula()
    return data if node.dim_index is None else component(data, node.dim_index)


@writes(Noise)
def _noise(node: Noise, children: list[Formula], symbols: Symbols) -> Formula:
    return Formula(symbols.noise(node))


@writes(ModelCall)
def _call(node: ModelCall, children: list[Formula], symbols: Symbols) -> Formula:
    name = symbols.model(node.model, takes_arguments=bool(node.args))
    names = [argument.text for argument in children]
    if arguments_of(node) is not node.args:  # joined to one array
        names = [names[0].removeprefix(r"\begin{pmatrix} ").removesuffix(r" \end{pmatrix}").replace(r" \\ ", ", ")]
    return Symbol(name.base, name.subscripts, ", ".join(names), symbols.is_bare(node)).formula()


@writes(FieldValue)
def _field(node: FieldValue, children: list[Formula], symbols: Symbols) -> Formula:
    name = symbol_of(node.label or node.field.name)
    base = rf"\mathbf{{{name.base}}}" if node.field.shape and len(name.base) == 1 else name.base
    return Symbol(base, name.subscripts).formula()


@writes(WeakValue)
def _weak_value(node: WeakValue, children: list[Formula], symbols: Symbols) -> Formula:
    return Symbol(r"\mathbf{r}" if "residual" in node.problem.title else r"\mathbf{u}", ("h",)).formula()


@writes(AdaptiveWeight)
def _weight(node: AdaptiveWeight, children: list[Formula], symbols: Symbols) -> Formula:
    return Formula(rf"\lambda_{{{node.index + 1}}}")


# --- arithmetic ---------------------------------------------------------------------------------------------------
_ARITHMETIC: dict[str, Callable[[Formula, Formula], Formula]] = {
    "+": added,
    "-": subtracted,
    "*": multiplied,
    "/": divided,
    "**": raised,
    "@": multiplied,
}
_RELATIONS = {"<": "<", "<=": r"\leq", ">": ">", ">=": r"\geq", "==": "=", "!=": r"\neq"}
_LOGIC = {"&": (r"\wedge", Level.AND), "|": (r"\vee", Level.OR)}


@writes(BinaryOp)
def _binary(node: BinaryOp, children: list[Formula], symbols: Symbols) -> Formula:
    left, right = children
    if node.op in _ARITHMETIC:
        return _ARITHMETIC[node.op](left, right)
    if node.op in _LOGIC:
        operator, level = _LOGIC[node.op]
        return Formula(f"{left.at(level)} {operator} {right.at(level)}", level)
    return infix(_RELATIONS.get(node.op, node.op), left, right, Level.COMPARISON)


@writes(UnaryOp)
def _unary(node: UnaryOp, children: list[Formula], symbols: Symbols) -> Formula:
    (operand,) = children
    match node.op:
        case "negate":
            return negated(operand)
        case "abs":
            return between("|", operand, "|")
        case "~":
            return prefixed(r"\neg", operand, Level.PREFIX)
        case "transpose":
            return Formula(rf"{operand.at(Level.ATOM)}^{{\top}}", Level.POWER)
        case "real" | "imag":
            return prefixed(rf"\operatorname{{{'Re' if node.op == 'real' else 'Im'}}}", operand)
    return applied(rf"\operatorname{{{'sg' if node.op == 'stop_gradient' else upright(node.op)[8:-1]}}}", operand)


@writes(GetItem)
def _entry(node: GetItem, children: list[Formula], symbols: Symbols) -> Formula:
    leading: tuple[Any, ...] = node.index[:-1]
    last: Any = node.index[-1] if node.index else Ellipsis
    if isinstance(last, slice) and last.start is not None and last.stop == last.start + 1 and last.step is None:
        last = last.start
    is_component = isinstance(last, int) and last >= 0 and all(e is Ellipsis or e == slice(None) for e in leading)
    if is_component:
        return component(children[0], last)
    inside = node.describe()[1:-1].replace("...", r"\ldots").replace(":", "{:}").replace("None", r"\mathrm{new}")
    return component(children[0], f"[{inside}]")


@writes(FunctionCall)
def _function(node: FunctionCall, children: list[Formula], symbols: Symbols) -> Formula:
    is_loss = reduced(node) is not None
    return function_formula(node, children, mean_sign(node) if is_loss else r"\frac{1}{N} \sum")


# --- reductions, derivatives, integrals -------------------------------------------------------------------------------
@writes(Reduction)
def _reduction(node: Reduction, children: list[Formula], symbols: Symbols) -> Formula:
    (operand,) = children
    mean = mean_sign(node.target)
    total = mean.removeprefix(r"\frac{1}{N} ")
    match node.op:
        case "mse":
            return mean_of(mean, operand, *SQUARED)
        case "mae":
            return mean_of(mean, operand, *ABSOLUTE)
        case "mean":
            return mean_of(mean, operand)
        case "sum":
            return mean_of(total, operand)
        case "min" | "max":
            return applied(total.replace(r"\sum", f"\\{node.op}", 1), operand)
    return applied(rf"\operatorname{{{node.op}}}", operand)


@writes(Derivative)
def _derivative(node: Derivative, children: list[Formula], symbols: Symbols) -> Formula:
    return derivative_formula(node, children[0], symbols)


@writes(NetworkGradient)
def _network_gradient(node: NetworkGradient, children: list[Formula], symbols: Symbols) -> Formula:
    return prefixed(r"\nabla_{\theta}", children[0])


@writes(Integral, IntegralTime)
def _integral(node: Integral | IntegralTime, children: list[Formula], symbols: Symbols) -> Formula:
    return integral_formula(node, children[0], symbols)


@writes(EvaluatedAt)
def _evaluated(node: EvaluatedAt, children: list[Formula], symbols: Symbols) -> Formula:
    names = "xyz" if node.axis == "spatial" else "t"
    pairs = [f"{name} = {place.text}" for name, place in zip(names, children[1:], strict=False) if place.text != name]
    return value_at(children[0], ", ".join(pairs)) if pairs else children[0]


# --- what is transparent, and the rest ----------------------------------------------------------------------------
@writes(Bound, Print, Tracker)
def _same(node: Node, children: list[Formula], symbols: Symbols) -> Formula:
    return children[0]


@writes(Lag)
def _lagged(node: Lag, children: list[Formula], symbols: Symbols) -> Formula:
    return Formula(rf"\overline{{{children[0].text}}}")


@writes(Pin)
def _pinned(node: Pin, children: list[Formula], symbols: Symbols) -> Formula:
    return infix("=", value_at(children[0], r"\mathrm{pin}"), value_formula(node.value), Level.COMPARISON)


@writes(Reshape)
def _reshaped(node: Reshape, children: list[Formula], symbols: Symbols) -> Formula:
    return applied(r"\operatorname{reshape}", children[0])


@writes(Choice)
def _choice(node: Choice, children: list[Formula], symbols: Symbols) -> Formula:
    return alternatives(children)
