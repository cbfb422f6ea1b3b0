"""LaTeX of an expression: every node once, children first, long sums in several lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral

from jno.utils import FLAG, integer

from .._coordinates import free_variables
from .._integrals import Integral as DomainIntegral
from .._node import Node
from .._operations import Print, Tracker
from .._placeholder import Placeholder, latex_of
from ._calculus import over_region
from ._formula import Formula, Level, SumTerm, joined_terms, visible_length
from ._nodes import node_formula
from ._symbols import Symbols, test_functions
from ._words import symbol_of

MOST_SYMBOLS = 3000
"""Of a formula that anybody reads; a graph that shares its parts can stand for far more."""

_WIDTH = integer(20)


@latex_of.register
def latex(expression: Placeholder, expand: object = False, width: object = 90) -> str:
    """See `Placeholder.latex`."""
    FLAG.require(expand, "latex(expand)")
    _WIDTH.require(width, "latex(width)", optional=True)
    root = _plain(expression)
    nodes = _nodes(root, expand=bool(expand))
    size = _size(nodes)
    if size > MOST_SYMBOLS:
        raise ValueError(
            f"latex() would write about {size} operations, more than {MOST_SYMBOLS}; give names to parts with "
            ".name(...), which stand for them"
        )
    formula = _formula(nodes, root, expand=bool(expand))
    return _broken(formula, int(width)) if isinstance(width, Integral) else formula.text


def _plain(expression: Node) -> Node:
    while isinstance(expression, Tracker | Print):
        expression = expression.target
    return expression


def _nodes(root: Node, *, expand: bool) -> list[Node]:
    """The nodes that are written, children before parents; below a name there are none."""
    ordered: list[Node] = []
    visited: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            ordered.append(node)
        elif id(node) not in visited:
            visited.add(id(node))
            stack.append((node, True))
            if node is root or expand or not _is_named(node):
                stack.extend((child, False) for child in reversed(node.children()))
    return ordered


def _is_named(node: Node) -> bool:
    return bool(node.metadata.label) and bool(node.children())


def _size(nodes: Sequence[Node]) -> int:
    """Number of nodes of the tree that a graph stands for."""
    sizes: dict[int, int] = {}
    for node in nodes:
        sizes[id(node)] = 1 + sum(sizes.get(id(child), 0) for child in node.children())
    return sizes[id(nodes[-1])]


def _formula(nodes: Sequence[Node], root: Node, *, expand: bool) -> Formula:
    symbols, formulas = Symbols(nodes), dict[int, Formula]()
    for node in nodes:
        if node is not root and not expand and _is_named(node):
            formulas[id(node)] = symbol_of(str(node.metadata.label)).formula()
        else:
            formulas[id(node)] = node_formula(node, [formulas[id(child)] for child in node.children()], symbols)
    is_weak = bool(list(test_functions(nodes))) and not any(isinstance(node, DomainIntegral) for node in nodes)
    return over_region(free_variables(root), formulas[id(root)], symbols) if is_weak else formulas[id(root)]


# --- lines --------------------------------------------------------------------------------------------------------
def _broken(formula: Formula, width: int) -> str:
    """A formula in lines of about ``width`` signs, as far as it is a sum, or a mean or integral of one."""
    if visible_length(formula.text) <= width:
        return formula.text
    rows = list(_rows(formula, width))
    if len(rows) == 1:
        return formula.text
    return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"


def _rows(formula: Formula, width: int) -> Iterator[str]:
    if formula.wrapped is not None:
        before, operand, after = formula.wrapped
        yield f"& {before}r{' ' if after else ''}{after}"
        yield from _right_side("r", operand, width)
    elif len(formula.terms) > 1:
        yield from _indented(formula.terms, "& ", width)
    else:
        yield formula.text


def _right_side(name: str, operand: Formula, width: int) -> Iterator[str]:
    terms = operand.terms if len(operand.terms) > 1 else (SumTerm(False, operand.at(Level.OR)),)
    yield from _indented(terms, f"& {name} = ", width)


def _indented(terms: Sequence[SumTerm], start: str, width: int) -> Iterator[str]:
    for number, line in enumerate(_lines(terms, width)):
        yield f"{start}{line}" if number == 0 else rf"& \quad {line}"


def _lines(terms: Sequence[SumTerm], width: int) -> Iterator[str]:
    """The terms of a sum in lines of about ``width`` signs; all but the first begin with a sign."""
    line = ""
    for number, term in enumerate(terms):
        piece = joined_terms([term]) if number == 0 else f" {'-' if term.negative else '+'} {term.text}"
        if line and visible_length(line + piece) > width:
            yield line
            line = piece.strip()
        else:
            line += piece
    yield line
