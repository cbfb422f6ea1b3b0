"""Integrals of kernels: the same sum for every outer point, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree, Shaped

from jno.trace import Derivative, Node, Variable

from ._scope import Scope
from ._value import Value

INNER = "@inner"
"""Suffix of the alias tag of what is integrated over, while the tag itself holds the outer point or time."""

COMPARISONS = ("<", "<=", ">", ">=")
"""Operations at which an integrand jumps."""

PAIRS = 2**16
"""Pairs of outer and quadrature points that are evaluated at a time (of all samples and levels together)."""


def over_outer_points(
    at: Callable[[Scope], Array], kernel: Node, names: Iterable[str], size: int, outer: Scope, inner: Scope
) -> Any:
    """``at(scope)`` for every outer point, ``(N,)``.

    Args:
        at: the integral at one outer point, whose arrays the scope binds with one row.
        kernel: the integrand; what depends on one of the two points alone is computed once for all pairs.
        names: names of the arrays of the outer points (coordinates, normals).
        size: number of quadrature points.
        outer: scope with the outer points.
        inner: scope below it with the quadrature points.
    """
    points = {name: outer.bindings.points[name] for name in sorted(names) if name in outer.bindings.points}
    nearest = {name: outer.bindings.nearest[name] for name in points if name in outer.bindings.nearest}
    count = max(array.shape[0] for array in points.values())
    factors = _one_point_factors(kernel, frozenset(points), count, outer, inner)
    constant = {node: value for node, value in factors.items() if value.point_axis is None}
    rows = {node: value.array for node, value in factors.items() if value.point_axis == 0}
    sealed = inner.sealed()

    def at_point(point: PyTree) -> Any:
        coordinates, nodes, values = jax.tree_util.tree_map(lambda array: array[None], point)
        scope = sealed.rebind(points=coordinates, nearest=nodes)
        for node, array in values.items():
            scope.seed(node, Value(array, 0))
        for node, value in constant.items():
            scope.seed(node, value)
        return at(scope)

    return _blockwise(at_point, (points, nearest, rows), count, PAIRS // (size * outer.setting.lanes))


def _one_point_factors(kernel: Node, names: frozenset[str], count: int, outer: Scope, inner: Scope) -> dict[int, Value]:
    """Values of the largest parts of the kernel that depend on the outer point but not on the inner one.

    Parts that depend on the inner point at most are computed on the way, in the inner scope, where loops find them.
    """
    graph = outer.setting.graph
    of_outer: dict[int, Node] = {}
    of_inner: dict[int, Node] = {}
    seen: set[int] = set()
    stack = [kernel]
    while stack:
        node = stack.pop()
        if id(node) in seen or isinstance(node, Variable):
            continue
        seen.add(id(node))
        tags = graph.tags(node)
        if not tags & names:
            of_inner[id(node)] = node
        elif not tags & inner.rebound:
            of_outer[id(node)] = node
        elif isinstance(node, Derivative) or not node.binds:
            stack.extend(node.children())
    inner.values(list(of_inner.values()))
    values = dict(zip(of_outer, outer.values(list(of_outer.values())), strict=True))
    return {node: value for node, value in values.items() if value.point_axis is None or _runs_over(value, count)}


def _runs_over(value: Value, count: int) -> bool:
    return value.point_axis == 0 and value.points == count


def _blockwise(function: Callable[[PyTree], Array], arguments: PyTree, count: int, block: int) -> Any:
    """``vmap(function)`` over the leading axis, ``block`` entries at a time when there are more.

    A block's intermediate values are computed again in the backward pass instead of being stored.
    """
    if count <= max(1, block):
        return jax.vmap(function)(arguments)
    blocks = -(-count // max(1, block))
    block = -(-count // blocks)

    def split(array: Shaped[Array, "N ..."]) -> Any:
        filled = jnp.concatenate([array, jnp.repeat(array[-1:], blocks * block - count, axis=0)])
        return filled.reshape(blocks, block, *array.shape[1:])

    body = jax.checkpoint(jax.vmap(function), prevent_cse=False)
    return jax.lax.map(body, jax.tree_util.tree_map(split, arguments)).reshape(-1)[:count]
