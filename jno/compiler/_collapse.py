"""Sums of derivatives of one target, found and merged: only the sum is then carried through the network.

``u.d2(x) + u.d2(y)`` written apart is the Laplacian, and ``u.d(t) - 0.1 * u.d2(x)`` one operator that needs three
coefficients (value, ∂x, the sum) instead of four.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jno.trace import BinaryOp, DerivativeSum, Literal, Node, UnaryOp, walk

from ._requests import is_planned, scalar_terms

_Terms = list[tuple[float, Any]]


def collapse(roots: Sequence[Node]) -> list[Any]:
    """The same expressions with sums of derivatives of one target merged."""
    nodes = list(walk(roots))
    heads = _heads(nodes, roots)
    done: dict[int, Any] = {}
    for node in nodes:
        rebuilt = node.with_children(tuple(done[id(child)] for child in node.children()))
        done[id(node)] = _merged(rebuilt) if id(node) in heads else rebuilt
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


def _parts(node: Any) -> _Terms:
    """``(coefficient, child)`` of a node that `_is_linear`, from left to right."""
    if isinstance(node, UnaryOp):
        return [(-1.0, node.target)]
    if node.op in ("+", "-"):
        return [(1.0, node.left), (1.0 if node.op == "+" else -1.0, node.right)]
    left, right = _number(node.left), _number(node.right)
    if left is not None and node.op == "*":
        return [(left, node.right)]
    assert right is not None
    return [(1 / right if node.op == "/" else right, node.left)]


def _flatten(head: Any) -> _Terms:
    """``(coefficient, node)`` whose sum is the expression, every node once, from left to right.

    A sum that occurs in several places is entered once: ``u = u + u`` n times has n steps, not 2ⁿ.
    """
    parts: dict[int, _Terms] = {}
    children_first: list[Any] = []
    terms: dict[int, Any] = {}
    stack: list[tuple[Any, bool]] = [(head, False)]
    while stack:
        node, entered = stack.pop()
        if entered:
            children_first.append(node)
        elif not _is_linear(node):
            terms.setdefault(id(node), node)
        elif id(node) not in parts:
            parts[id(node)] = _parts(node)
            stack.append((node, True))
            stack.extend((child, False) for _, child in reversed(parts[id(node)]))
    coefficients = {id(head): 1.0}
    for node in reversed(children_first):
        for weight, child in parts[id(node)]:
            coefficients[id(child)] = coefficients.get(id(child), 0.0) + weight * coefficients[id(node)]
    return [(coefficients[number], node) for number, node in terms.items()]


def _merged(head: Any) -> Any:
    terms = _flatten(head)
    groups: dict[int, list[int]] = {}
    for number, (_, node) in enumerate(terms):
        if is_planned(node) and scalar_terms(node) is not None:
            groups.setdefault(id(node.target), []).append(number)
    members = {numbers[0]: numbers for numbers in groups.values() if len(numbers) > 1}
    if not members:
        return head
    later = {number for numbers in members.values() for number in numbers[1:]}
    kept: _Terms = []
    for number, term in enumerate(terms):
        if number in members:
            kept.append((1.0, _sum_of([terms[i] for i in members[number]])))
        elif number not in later:
            kept.append(term)
    return _added(kept)


def _sum_of(members: _Terms) -> DerivativeSum:
    variables: list[Any] = []
    terms: list[tuple[float, tuple[int, ...]]] = []
    for factor, node in members:
        for weight, factors in scalar_terms(node) or ():
            places = []
            for variable in factors:
                if not any(variable is known for known in variables):
                    variables.append(variable)
                places.append(next(i for i, known in enumerate(variables) if known is variable))
            terms.append((factor * weight, tuple(places)))
    return DerivativeSum(members[0][1].target, tuple(variables), tuple(terms))


def _added(terms: _Terms) -> Any:
    total: Any = None
    for factor, node in terms:
        size = abs(factor)
        term = node if size == 1 else BinaryOp("*", Literal(size), node)
        if total is None:
            total = term if factor > 0 else UnaryOp("negate", term)
        else:
            total = BinaryOp("+" if factor > 0 else "-", total, term)
    return total
