"""Folding samples and time levels into the point axis.

A network mapped over samples or levels costs rank-3 matrix products, two to four times slower on a CPU than one
rank-2 product over all points together.  Where an expression is point-wise nothing but the points matters, so it is
evaluated once on all points of all samples and levels, time being one more coordinate of a point; what is not
point-wise (means, integrals, data of single samples) stays in the mapped program and reads the folded values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jno.trace import (
    BinaryOp,
    Constant,
    FunctionCall,
    GetItem,
    Literal,
    ModelCall,
    Node,
    UnaryOp,
    Variable,
    point_tag,
    walk,
)

from ._finite_difference import is_automatic
from ._graph import Graph
from ._scope import Bindings, NotPointwiseError, Scope, Setting
from ._value import Value

_POINTWISE_OPERATIONS = ("negate", "abs", "real", "imag", "stop_gradient", "~")


@dataclasses.dataclass(frozen=True)
class OuterAxes:
    """Which outer axes an array carries before its own: samples, then levels."""

    samples: bool
    levels: bool


def frontier(roots: Sequence[Node], graph: Graph) -> dict[str, list[Node]]:
    """The largest point-wise sub-expressions that call a network, by the tag of their points."""
    tags: dict[int, str | None] = {}
    heavy: set[int] = set()
    for node in walk(roots):
        tags[id(node)] = _pointwise_tag(node, tags, graph)
        if isinstance(node, ModelCall) or any(id(child) in heavy for child in node.children()):
            heavy.add(id(node))
    found: dict[str, dict[int, Node]] = {}
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        tag = tags[id(node)]
        if tag and id(node) in heavy:
            found.setdefault(tag, {})[id(node)] = node
        elif not isinstance(node, Variable):
            stack.extend(node.children())
    return {tag: list(nodes.values()) for tag, nodes in found.items()}


def pointwise_tags(roots: Sequence[Node], graph: Graph) -> list[str | None]:
    """The tag whose points each expression runs over point-wise; ``""``: no points, ``None``: not point-wise."""
    tags: dict[int, str | None] = {}
    for node in walk(roots):
        tags[id(node)] = _pointwise_tag(node, tags, graph)
    return [tags[id(root)] for root in roots]


def _pointwise_tag(node: Node, tags: Mapping[int, str | None], graph: Graph) -> str | None:
    """Tag of the points a point-wise node runs over; ``""`` for a constant or time alone; ``None``: not point-wise."""
    if isinstance(node, Literal | Constant):
        return "" if jnp.ndim(node.value) == 0 else None
    if isinstance(node, Variable):
        return "" if node.axis == "temporal" else point_tag(node)
    if not _keeps_points(node, graph):
        return None
    below = {tags[id(child)] for child in node.children()}
    if None in below or len(below - {""}) > 1:
        return None
    return max((tag for tag in below if tag is not None), default="")


def _keeps_points(node: Node, graph: Graph) -> bool:
    if isinstance(node, BinaryOp):
        return node.op != "@"
    if isinstance(node, UnaryOp):
        return node.op in _POINTWISE_OPERATIONS
    if isinstance(node, FunctionCall):
        return node.align in ("columns", "components") or (node.align == "broadcast" and not node.may_reduce_points)
    if isinstance(node, GetItem):
        return keeps_all_points(node)
    if isinstance(node, ModelCall):
        return id(node) in graph.pointwise or _is_number(node)
    return is_automatic(node)


def _is_number(node: ModelCall) -> bool:
    """Whether a call is a trainable number: the same at all points."""
    return not node.args and math.prod(jax.eval_shape(node.model.module).shape) == 1


def keeps_all_points(node: GetItem) -> bool:
    """Whether an index leaves the leading axis as it is."""
    first = node.index[0] if node.index else Ellipsis
    return first is Ellipsis or (isinstance(first, slice) and first == slice(None))


def fold(
    tag: str, nodes: Sequence[Node], rows: Mapping[Any, Any], axes: Mapping[Any, OuterAxes], setting: Setting
) -> dict[int, tuple[Any, OuterAxes]]:
    """Values of point-wise ``nodes`` on all points of ``tag`` at once, unfolded again to ``(B, W, N, ...)``.

    Args:
        rows: arrays by ``(kind, tag)`` with the outer axes that ``axes`` states.
        setting: setting of the evaluation.

    Returns:
        node id → (array, its outer axes); a node that turns out to couple points is left out.
    """
    groups: dict[frozenset[Any], list[Node]] = {}
    for node in nodes:
        tags = setting.graph.tags(node) | {tag}
        used = frozenset(key for key in rows if key[0] in ("points", "times") and key[1] in tags)
        groups.setdefault(used, []).append(node)
    values: dict[int, tuple[Any, OuterAxes]] = {}
    for used, members in groups.items():
        outer = OuterAxes(any(axes[key].samples for key in used), any(axes[key].levels for key in used))
        if outer.samples or outer.levels:
            full = {key: _with_axes(rows[key], axes[key], outer) for key in used}
            values.update(_fold_group(tag, members, full, outer, setting))
    return values


def _fold_group(
    tag: str, nodes: Sequence[Node], full: Mapping[Any, Any], outer: OuterAxes, setting: Setting
) -> dict[int, tuple[Any, OuterAxes]]:
    """Nodes that depend on the same arrays ``(B, W, N, D)`` (``B``, ``W`` where present)."""
    lead = jnp.broadcast_shapes(*(array.shape[:-2] for array in full.values()))
    count = full["points", tag].shape[-2]
    flat = {k: jnp.broadcast_to(a, (*lead, count, a.shape[-1])).reshape(-1, a.shape[-1]) for k, a in full.items()}
    points = {name: array for (kind, name), array in flat.items() if kind == "points"}
    times = {name: array for (kind, name), array in flat.items() if kind == "times"}
    scope = Scope(dataclasses.replace(setting, pointwise_only=True), Bindings(points, times, {}, {}, {}))
    return {
        node: (value.array.reshape(*lead, count, *value.array.shape[1:]), outer)
        for node, value in _pointwise_values(scope, nodes).items()
    }


def _pointwise_values(scope: Scope, nodes: Sequence[Node]) -> dict[int, Value]:
    """Values of the nodes that turn out point-wise: all together, or one by one where some are not."""
    try:
        return {id(node): value for node, value in zip(nodes, scope.values(nodes), strict=True)}
    except NotPointwiseError:
        values = {}
        for node in nodes:
            with contextlib.suppress(NotPointwiseError):
                values[id(node)] = scope.value(node)
        return values


def _with_axes(array: Any, own: OuterAxes, outer: OuterAxes) -> Any:
    """Insert axes of length one for the outer axes an array lacks."""
    if outer.samples and not own.samples:
        array = array[None]
    if outer.levels and not own.levels:
        array = array[:, None] if outer.samples else array[None]
    return array
