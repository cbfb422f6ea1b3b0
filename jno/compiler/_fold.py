"""Folding samples and time levels into the point axis.

A network mapped over samples or levels costs rank-3 matrix products, two to four times slower on a CPU than one
rank-2 product over all points together.  Where an expression is point-wise nothing but the points matters, so it is
evaluated once on all points of all samples and levels, time being one more coordinate of a point; what is not
point-wise (means, integrals, data of single samples) stays in the mapped program and reads the folded values.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence

import jax.numpy as jnp

from jno.trace import Node

from ._outer_axes import OuterAxes, Rows
from ._precomputed import Precomputed
from ._scope import Bindings, NotPointwiseError, Scope, Setting
from ._types import AnyArray, Name
from ._value import Value

FOLDED = "folded"
"""Kind of the arrays that hold folded values, beside those of the data; in place of a tag they have a node's id."""


def fold(tag: str, nodes: Sequence[Node], rows: Rows, setting: Setting, precomputed: Precomputed) -> Rows:
    """Values of point-wise ``nodes`` on all points of ``tag`` at once, unfolded again to ``(B, W, N, ...)``.

    Args:
        tag: the points that the nodes run over.
        nodes: those of the frontier for this tag.
        rows: the data.
        setting: setting of the evaluation.
        precomputed: fixed parts that the data may hold.

    Returns:
        the values by ``("folded", id of the node)``; a node that turns out to couple points is left out.
    """
    groups: dict[frozenset[Name], list[Node]] = {}
    for node in nodes:
        tags = setting.graph.tags(node) | {tag}
        names = frozenset(name for name in rows.arrays if name[0] in ("points", "times") and name[1] in tags)
        groups.setdefault(names, []).append(node)
    folded = Rows({}, {})
    for names, members in groups.items():
        axes = [rows.axes[name] for name in names]
        outer = OuterAxes(any(outer.samples for outer in axes), any(outer.levels for outer in axes))
        if outer.samples or outer.levels:
            read = names | (precomputed.pointwise_below(members, setting.facts().point_tags) & set(rows.arrays))
            arrays = {name: _with_axes(rows.arrays[name], rows.axes[name], outer) for name in read}
            folded |= _fold_group(tag, members, arrays, outer, setting, precomputed)
    return folded


def _fold_group(
    tag: str,
    nodes: Sequence[Node],
    arrays: Mapping[Name, AnyArray],
    outer: OuterAxes,
    setting: Setting,
    precomputed: Precomputed,
) -> Rows:
    """Nodes that depend on the same arrays ``(B, W, N, ...)`` (``B``, ``W`` where present)."""
    lead = jnp.broadcast_shapes(*(array.shape[: outer.samples + outer.levels] for array in arrays.values()))
    count = arrays["points", tag].shape[-2]
    flat = {name: _flat(array, lead, count) for name, array in arrays.items()}
    points = {name: array for (kind, name), array in flat.items() if kind == "points"}
    times = {name: array for (kind, name), array in flat.items() if kind == "times"}
    scope = Scope(dataclasses.replace(setting, pointwise_only=True), Bindings(points, times, {}, {}, {}))
    scope.know(precomputed.known(flat))
    values = {
        (FOLDED, str(number)): value.array.reshape(*lead, count, *value.array.shape[1:])
        for number, value in _pointwise_values(scope, nodes).items()
    }
    return Rows(values, dict.fromkeys(values, outer))


def _flat(array: AnyArray, lead: tuple[int, ...], count: int) -> AnyArray:
    """The points of all samples and levels in a row."""
    entries = array.shape[len(lead) + 1 :]
    return jnp.broadcast_to(array, (*lead, count, *entries)).reshape(-1, *entries)


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


def _with_axes(array: AnyArray, present: OuterAxes, outer: OuterAxes) -> AnyArray:
    """Insert axes of length one for the outer axes an array lacks."""
    if outer.samples and not present.samples:
        array = array[None]
    if outer.levels and not present.levels:
        array = array[:, None] if outer.samples else array[None]
    return array
