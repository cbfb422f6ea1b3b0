"""Values of nodes: an array that knows its point axis, and alignment of values on that axis."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Value:
    """Per-sample array of a node.

    ``point_axis`` is the axis that runs over the points of a tag, or ``None``.  Time is a value over one point: its
    point axis has length one and broadcasts.  ``array`` is None in a value that only says where an array belongs.
    """

    array: Any
    point_axis: int | None = dataclasses.field(default=None, metadata={"static": True})
    column: bool = dataclasses.field(default=False, metadata={"static": True})
    """A vector that was made a column ``(k, 1)``: its entries are not points, even when there are as many."""
    point_set: str | None = dataclasses.field(default=None, metadata={"static": True})
    """Which points the point axis runs over (see `_pairing`): a name, ``""`` for any, None: those of the operands."""

    @property
    def points(self) -> int:
        """Length of the point axis; 1 without one."""
        return 1 if self.point_axis is None else self.array.shape[self.point_axis]


class AlignmentError(ValueError):
    """Operands that do not fit together; the message names both and their shapes."""


def common_point_set(values: Sequence[Value]) -> str | None:
    """The point set of a combination of values, which have been paired."""
    names = [value.point_set for value in values if value.points > 1 and value.point_set is not None]
    return next((name for name in names if name), names[0] if names else None)


def point_count(values: Sequence[Value]) -> int | None:
    """The common number of points of the values that have a point axis (lengths of one broadcast)."""
    counts = {value.array.shape[value.point_axis] for value in values if value.point_axis is not None}
    if len(counts - {1}) > 1:
        raise AlignmentError(f"the operands live on different point sets, with {sorted(counts - {1})} points")
    return max(counts) if counts else None


def align(values: Sequence[Value]) -> tuple[list[Array], int | None]:
    """Reshape arrays so that NumPy broadcasting pairs point axes with point axes.

    A value of shape ``(N,)`` acts as ``(N, 1)`` next to ``(N, D)``; nothing ever broadcasts to ``(N, N)``.

    The invariants, in the order in which the cases are decided:

    1. Values with points agree on their number (one point broadcasts) and on the place of the point axis, counted from
       the left, or else from the right: then NumPy's own rule already pairs them.
    2. Their ranks are made equal by trailing axes of length one, which is allowed only where no component gets lost.
    3. Values without points keep their shape.  They meet the *trailing* axes, never the points; what would meet the
       points by accident, because it is as long as there are points, is refused.

    Returns:
        the arrays and the point axis of the broadcast result.
    """
    count = point_count(values)
    if count is None:
        return _broadcastable([value.array for value in values]), None
    pointwise = [value for value in values if value.point_axis is not None]
    plain_rank = max((value.array.ndim for value in values if value.point_axis is None), default=0)
    axis = pointwise[0].point_axis
    assert axis is not None
    if any(value.point_axis != axis for value in pointwise):
        # Different places of the point axis are meant only where they coincide under NumPy's right alignment.
        from_right = {value.array.ndim - value.point_axis for value in pointwise if value.point_axis is not None}
        if len(from_right) > 1:
            raise AlignmentError("the point axes of the operands cannot be aligned")
        return _broadcastable([value.array for value in values]), max(
            v.point_axis for v in pointwise if v.point_axis is not None
        )
    rank = max(value.array.ndim for value in pointwise)
    bare = axis == 0 and rank == 1
    rows_of_data = bare and all(
        value.array.shape == (count,) for value in values if value.point_axis is None and value.array.ndim == 1
    )
    # (N,) next to a vector of components acts as (N, 1); next to data with one number per point it stays (N,)
    if bare and plain_rank > 0 and not (plain_rank == 1 and rows_of_data):
        rank = max(rank, axis + 2)
    arrays = [_pad(value, rank, axis, count) if value.point_axis is not None else value.array for value in values]
    _refuse_square(values, rank, axis, count)
    wide = any(value.array.ndim > 1 and value.array.shape[1] > 1 for value in pointwise)
    if wide and count > 1 and any(value.column and value.array.shape[0] == count for value in values):
        raise AlignmentError(
            f"a column of {count} entries that are no points meets {count} points with several components; write "
            "column[:, 0] or column.T to pair its entries with components"
        )
    return _broadcastable(arrays), max(axis, axis + max(plain_rank - rank, 0))


def _broadcastable(arrays: list[Array]) -> list[Array]:
    try:
        jnp.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        raise AlignmentError("these shapes cannot be broadcast together") from None
    return arrays


def _pad(value: Value, rank: int, axis: int, count: int) -> Shaped[Array, ...]:
    missing = rank - value.array.ndim
    if missing == 0:
        return value.array
    trailing = value.array.shape[axis + 1 :]
    if any(size != 1 for size in trailing):
        raise AlignmentError("operands of different rank cannot be aligned on their point axis")
    return value.array.reshape(value.array.shape + (1,) * missing)


def _refuse_square(values: Sequence[Value], rank: int, axis: int, count: int) -> None:
    """A row as long as the point set next to ``(N, D)`` would broadcast to ``(N, N)``."""
    if rank != axis + 2 or count == 1:
        return
    for value in values:
        if value.point_axis is None and value.array.shape == (count,):
            raise AlignmentError(
                f"a row of {count} entries meets {count} points and would broadcast to ({count}, {count}); attach "
                f"values at points with variable(name, values, point_data=True) (per sample: (B, 1, {count}, 1)), or "
                "index a row of parameters"
            )


def as_columns(values: Sequence[Value]) -> tuple[list[Array], int | None]:
    """Arrays of shape ``(rows, d)`` with a common number of rows, for concatenation on the last axis."""
    count = point_count(values)
    rows = count if count is not None else max((v.array.shape[0] for v in values if v.array.ndim > 1), default=1)
    columns = []
    for value in values:
        array = value.array
        if array.ndim == 0:
            array = array.reshape(1, 1)
        elif array.ndim == 1:
            if value.point_axis is None and count is not None and array.shape[0] == rows > 1:
                raise AlignmentError(
                    f"a row of {rows} entries meets {rows} points: attach values at points with point_data=True, per "
                    f"sample (B, 1, {rows}, 1), or write row[None, :] for one row at all points"
                )
            array = array[:, None] if value.point_axis is not None or array.shape[0] == rows else array[None, :]
        if array.shape[0] not in (1, rows):
            raise AlignmentError(f"cannot concatenate {array.shape[0]} rows with {rows} rows")
        columns.append(jnp.broadcast_to(array, (rows, *array.shape[1:])))
    return columns, (0 if count is not None else None)


def result_axis(array: Shaped[Array, ...], arguments: Sequence[Value]) -> int | None:
    """Point axis of the result of an opaque function: the leading axis, if it still runs over the points."""
    count = point_count([argument for argument in arguments if argument.point_axis == 0])
    if count is None or array.ndim == 0 or array.shape[0] != count:
        return None
    return 0
