"""Weak problems in a program that have no solution."""

from __future__ import annotations

from collections.abc import Sequence

from jno.trace import Node, WeakValue, walk

from ._types import Arrays, Modules


def weak_values(roots: Sequence[Node]) -> list[WeakValue]:
    """The solutions and residuals of weak problems in some expressions."""
    return [node for node in walk(roots) if isinstance(node, WeakValue)]


def check_solvable(roots: Sequence[Node], modules: Modules, data: Arrays) -> None:
    """Raise the error of the first weak problem that has no solution with these modules and data, if there is one.

    The values of such problems are NaN, which is an answer for a trial step of an optimizer and none for a user.

    Args:
        roots: expressions.
        modules: by ``Model.layer_id``.
        data: the arrays that the expressions read, with one row for each sample.
    """
    for node in weak_values(roots):
        arrays = {leaf.tag: data["tensors", leaf.tag] for leaf in node.data}
        for sample in range(max((len(array) for array in arrays.values()), default=1)):
            rows = {tag: array[min(sample, len(array) - 1)] for tag, array in arrays.items()}
            node.problem.check(modules, rows)
