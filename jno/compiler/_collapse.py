"""Sums of derivatives of one target, found and merged: only the sum is then carried through the network.

``u.d2(x) + u.d2(y)`` written apart is the Laplacian, and ``u.d(t) - 0.1 * u.d2(x)`` one operator that needs three
coefficients (value, ∂x, the sum) instead of four.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from jno.trace import BinaryOp, Derivative, DerivativeSum, Literal, Node, Placeholder, UnaryOp, Variable, walk

from ._requests import is_planned, scalar_terms


@dataclasses.dataclass(frozen=True)
class _Term:
    """An expression times a number."""

    coefficient: float
    node: Placeholder


def collapse(roots: Sequence[Node]) -> list[Node]:
    """The same expressions with sums of derivatives of one target merged."""
    nodes = list(walk(roots))
    heads = _heads(nodes, roots)
    done: dict[int, Node] = {}
    for node in nodes:
        rebuilt = node.with_children(tuple(done[id(child)] for child in node.children()))
        if id(node) in heads and isinstance(rebuilt, Placeholder):
            rebuilt = _merged(rebuilt)
        done[id(node)] = rebuilt
    return [done[id(root)] for root in roots]


def _heads(nodes: Sequence[Node], roots: Sequence[Node]) -> set[int]:
    """Sums and differences that are not themselves terms of one only."""
    heads = {id(root) for root in roots if _is_linear(root)}
    for node in nodes:
        if not _is_linear(node):
            heads |= {id(child) for child in node.children() if _is_linear(child)}
    return heads


def _is_linear(node: Node) -> bool:
    if isinstance(node, UnaryOp):
        return node.op == "negate"
    if not isinstance(node, BinaryOp):
        return False
    if node.op in ("+", "-"):
        return True
    numbers = [_number(child) is not None for child in node.children()]
    return any(numbers) if node.op == "*" else node.op == "/" and bool(_number(node.right))


def _number(node: Node) -> float | None:
    """The value of a real scalar written as a Python number."""
    if isinstance(node, Literal) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _parts(node: Node) -> list[_Term]:
    """The terms of a node that `_is_linear`, from left to right."""
    if isinstance(node, UnaryOp):
        return [_Term(-1.0, node.target)]
    assert isinstance(node, BinaryOp)
    if node.op in ("+", "-"):
        return [_Term(1.0, node.left), _Term(1.0 if node.op == "+" else -1.0, node.right)]
    left, right = _number(node.left), _number(node.right)
    if left is not None and node.op == "*":
        return [_Term(left, node.right)]
    assert right is not None
    return [_Term(1 / right if node.op == "/" else right, node.left)]


def _flatten(head: Placeholder) -> list[_Term]:
    """Terms whose sum is the expression, every node once, from left to right.

    A sum that occurs in several places is entered once: ``u = u + u`` n times has n steps, not 2ⁿ.
    """
    parts: dict[int, list[_Term]] = {}
    children_first: list[Placeholder] = []
    terms: dict[int, Placeholder] = {}
    stack: list[tuple[Placeholder, bool]] = [(head, False)]
    while stack:
        node, entered = stack.pop()
        if entered:
            children_first.append(node)
        elif not _is_linear(node):
            terms.setdefault(id(node), node)
        elif id(node) not in parts:
            parts[id(node)] = _parts(node)
            stack.append((node, True))
            stack.extend((term.node, False) for term in reversed(parts[id(node)]))
    coefficients = {id(head): 1.0}
    for node in reversed(children_first):
        for term in parts[id(node)]:
            child, weight = term.node, term.coefficient
            coefficients[id(child)] = coefficients.get(id(child), 0.0) + weight * coefficients[id(node)]
    return [_Term(coefficients[number], node) for number, node in terms.items()]


def _merged(head: Placeholder) -> Placeholder:
    """A sum in which terms that are derivatives of one target are one `DerivativeSum`."""
    terms = _flatten(head)
    by_target: dict[int, list[int]] = {}
    for number, term in enumerate(terms):
        node = term.node
        if isinstance(node, Derivative) and is_planned(node) and scalar_terms(node) is not None:
            by_target.setdefault(id(node.target), []).append(number)
    groups = {numbers[0]: numbers for numbers in by_target.values() if len(numbers) > 1}
    if not groups:
        return head
    absorbed = {number for numbers in groups.values() for number in numbers[1:]}
    merged: list[_Term] = []
    for number, term in enumerate(terms):
        if number in groups:
            merged.append(_Term(1.0, _sum_of([terms[i] for i in groups[number]])))
        elif number not in absorbed:
            merged.append(term)
    return _added(merged)


def _sum_of(members: Sequence[_Term]) -> DerivativeSum:
    places: dict[int, int] = {}
    variables: list[Variable] = []
    terms: list[tuple[float, tuple[int, ...]]] = []
    for member in members:
        assert isinstance(member.node, Derivative)
        for weight, factors in scalar_terms(member.node) or ():
            for variable in factors:
                if id(variable) not in places:
                    places[id(variable)] = len(variables)
                    variables.append(variable)
            terms.append((member.coefficient * weight, tuple(places[id(variable)] for variable in factors)))
    assert isinstance(members[0].node, Derivative)
    return DerivativeSum(members[0].node.target, tuple(variables), tuple(terms))


def _added(terms: Sequence[_Term]) -> Placeholder:
    """The sum of some terms as a node."""
    total: Placeholder | None = None
    for term in terms:
        factor, size = term.coefficient, abs(term.coefficient)
        node = term.node if size == 1 else BinaryOp("*", Literal(size), term.node)
        if total is None:
            total = node if factor > 0 else UnaryOp("negate", node)
        else:
            total = BinaryOp("+" if factor > 0 else "-", total, node)
    assert total is not None, "a sum has terms"
    return total
