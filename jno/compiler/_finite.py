"""Refusing data with NaN or infinite values that no mask keeps out of the expressions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Shaped

from jno.domain import domain as Domain
from jno.trace import GetItem, Node, TensorTag, Variable, title, walk

from ._gaps import exposed
from ._graph import Graph, untracked
from ._leaf_data import Data, all_finite, finite_entries


def check_finite(expressions: Mapping[str, Node], domain: Domain) -> None:
    """Raise where data, coordinates or arrays written into an expression have gaps that reach its value.

    Args:
        expressions: constraints and trackers by name.
        domain: the domain whose data they read.

    Raises:
        ValueError: naming the tag, the first such entry and the expression.
    """
    data = Data(domain.context, domain.total_samples)
    leaves = [node for node in walk(expressions.values()) if not node.children()]
    if all(_is_sound(leaf, data) for leaf in leaves):
        return
    graph = Graph()
    for name, expression in expressions.items():
        for node in exposed(graph.intern(untracked(expression)), data):
            if not _is_sound(node, data):
                raise ValueError(_message(name, node, data))


def _is_sound(node: Node, data: Data) -> bool:
    rows = data.rows(node)
    return rows is None or all_finite(rows)


def check_read(tag: str, rows: Shaped[np.ndarray, ...]) -> Shaped[np.ndarray, ...]:
    """Rows that were just read from a file, if all are finite."""
    if not all_finite(rows):
        finite = finite_entries(rows)
        raise ValueError(
            f"the data {tag!r} has {_count(finite)} that {_are(finite)} not finite among the rows read just now; mask "
            f"what uses them, {_REMEDY}"
        )
    return rows


_REMEDY = "e.g. jno.np.where(jno.np.isfinite(d), u - d, 0.0).mse, with isfinite of the data d itself"


def _message(name: str, node: Node, data: Data) -> str:
    rows, finite = data.rows(node), data.is_finite(node)
    assert rows is not None
    entry = tuple(int(i) for i in np.argwhere(~finite)[0])
    value = rows[entry]
    what = f"{value}" if not np.isfinite(value) else f"{value}, too large for the precision of the computation"
    return (
        f"{_title(node)} has {_count(finite)} that {_are(finite)} not finite, the first at "
        f"{_place(node, entry, rows)}: {what}. It reaches {name!r}, whose value and gradient it would spoil. Leave "
        f"such entries out, or mask them, {_REMEDY}"
    )


def _title(node: Node) -> str:
    while isinstance(node, GetItem):
        node = node.target
    if isinstance(node, TensorTag):
        return f"the data {node.tag!r}"
    if isinstance(node, Variable):
        return f"the point data {node.tag!r}"
    return f"{title(node)}, written into an expression,"


def _place(node: Node, index: tuple[int, ...], rows: np.ndarray) -> str:
    sample, *entry = index
    if isinstance(node, TensorTag) and node.dim_index is not None:
        entry[-1] += node.dim_index
    if isinstance(node, Variable):
        entry[-1] += node.dim[0]
    parts = [f"sample {sample}"] if rows.shape[0] > 1 else []
    names = {1: ("entry",), 2: ("row", "column")}.get(len(entry))
    parts += [f"index {tuple(entry)}"] if names is None else [f"{n} {i}" for n, i in zip(names, entry, strict=True)]
    return ", ".join(parts)


def _count(finite: Bool[np.ndarray, ...]) -> str:
    count = int(finite.size - finite.sum())
    return f"{count} value{'s' if count > 1 else ''}"


def _are(finite: Bool[np.ndarray, ...]) -> str:
    return "is" if finite.size - finite.sum() == 1 else "are"
