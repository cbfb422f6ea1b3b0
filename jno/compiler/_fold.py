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
from typing import Any

import jax.numpy as jnp

from jno.trace import Node

from ._scope import Bindings, NotPointwiseError, Scope, Setting
from ._value import Value


@dataclasses.dataclass(frozen=True)
class OuterAxes:
    """Which outer axes an array carries before its own: samples, then levels."""

    samples: bool
    levels: bool


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
