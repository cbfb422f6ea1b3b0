"""The sampled arrays of a domain: point sets `(B, T, N, D)`, normals, times and data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from .._time import Time
from ..drawable import PointsAndNormals
from ..geometry import Geometry, GeometryBatch
from ._record import TIME_KEY, Request, SampleRecord
from ._rows import RandomStream, Row, Rows, node_rows, shape_rows
from ._source import NodeSource, ShapeSource
from ._translates import translated_rows


class SampleStore:
    """Everything that a domain has sampled so far; only resampling overwrites points, never their number.

    Attributes:
        context: all arrays by key: points `(B, T, N, D)`, normals `n_<tag>`, `__time__` `(T, 1)`, data.
        records: one record per point set, in the order in which they were sampled.
        rows: key of a point set -> its points in every batch row.
        tensor_tags: keys of data.
        data_tags: keys of points, or values at points, that the user gave.
        prefilled: point sets of a cloud that are there from the start and that nobody has used: a request may replace
            them.
        stream: where the generators of all draws come from.
    """

    def __init__(self, draws: int = 0) -> None:
        self.context: dict[str, Any] = {}
        self.records: list[SampleRecord] = []
        self.rows: dict[str, Rows] = {}
        self.tensor_tags: set[str] = set()
        self.data_tags: set[str] = set()
        self.prefilled: set[str] = set()
        self.stream = RandomStream(draws)
        self._handles: dict[str, int] = {}

    # -- copies ----
    def without_points(self) -> SampleStore:
        """A store with the same user data and random stream, but no sampled points."""
        store = SampleStore(self.stream.draws)
        for name in self.tensor_tags | self.data_tags:
            store.context[name] = self.context[name]
        store.tensor_tags = set(self.tensor_tags)
        store.data_tags = set(self.data_tags)
        return store

    def copy(self) -> SampleStore:
        """A store that can be changed independently; the arrays themselves are shared."""
        store = self.without_points()
        store.context = dict(self.context)
        store.records = list(self.records)
        store.rows = dict(self.rows)
        store.prefilled = set(self.prefilled)
        store._handles = dict(self._handles)
        return store

    # -- keys ----
    @property
    def user_data(self) -> set[str]:
        """Keys of everything that the user gave."""
        return self.tensor_tags | self.data_tags

    def fresh_key(self, base: str) -> str:
        """`base`, or `base@1`, `base@2`, … when it is taken."""
        if base in self.prefilled:
            self._release(base)
        key, number = base, 0
        while key in self.context:
            number += 1
            key = f"{base}@{number}"
        return key

    def _release(self, tag: str) -> None:
        """Forget a prefilled point set that was never handed out."""
        self.prefilled.discard(tag)
        self.records = [record for record in self.records if record.tag != tag]
        del self.context[tag], self.rows[tag]

    def next_handle(self, tag: str) -> int:
        """How many times the tag was handed out before."""
        self.prefilled.discard(tag)
        count = self._handles.get(tag, 0)
        self._handles[tag] = count + 1
        return count

    # -- point sets ----
    @property
    def resampled(self) -> list[SampleRecord]:
        """The point sets that are replaced during training."""
        return [record for record in self.records if record.resampling_strategy is not None]

    def find(self, tag: str) -> SampleRecord | None:
        """The record of a point set, `None` for keys that are not a point set."""
        return next((record for record in self.records if record.tag == tag), None)

    def record(self, tag: str) -> SampleRecord:
        """The record of a point set.

        Raises:
            KeyError: the key is not a point set.
        """
        record = self.find(tag)
        if record is None:
            raise KeyError(tag)
        return record

    def points_of(self, record: SampleRecord, row: int) -> PointsAndNormals:
        """The points of one batch row and their outward normals, `None` for a region that has none."""
        points = self.rows[record.tag][row]
        return points.points(record.region), points.normals(record.region)

    def reusable(self, request: Request, geometries: tuple[Geometry, ...]) -> SampleRecord | None:
        """A point set of all nodes that already answers a request for the same nodes."""
        if not request.is_pool:
            return None
        for record in self.records:
            same = record.request.is_pool and (record.base, record.level) == (request.tag, request.level)
            clash = request.normals and record.normals and record.reverse_normals != request.reverse_normals
            rows = self.rows[record.tag] if same else ()
            # After re-meshing the nodes are others; a new tag leaves them as they are.
            current = all(row.geometry.points is new.points for row, new in zip(rows, geometries, strict=False))
            strategy = request.strategy
            resampled = strategy is None or strategy is record.resampling_strategy
            if same and current and resampled and not clash:
                return record
        return None

    def add_normals(self, record: SampleRecord, *, reverse: bool, levels: int) -> SampleRecord:
        """Give a point set its normals; returns the updated record."""
        key = record.normal_tag
        if key in self.context:
            raise ValueError(
                f"The normals of {record.tag!r} have the key {key!r}, which already names other points or data of this "
                "domain; give those another name."
            )
        updated = record.with_normals(reverse=reverse)

        def values(row: Row) -> Float[np.ndarray, "n D"]:
            normals = row.geometry.tags[record.region].normals
            assert normals is not None  # the request was checked against every geometry
            return (updated.normal_sign * normals)[row.positions]

        self.context[key] = stack_rows(self.rows[record.tag], values, levels)
        self.records[self.records.index(record)] = updated
        return updated

    def replace_points(self, record: SampleRecord, rows: Sequence[PointsAndNormals]) -> None:
        """Give a point set other `(points, outward normals)`, as many as it has: one for all batch rows, or one each.

        Raises:
            ValueError: another number of points, or of rows.
        """
        batch, levels, count, dimension = self.context[record.tag].shape
        shapes = [points.shape for points, _ in rows]
        if len(rows) not in (1, batch) or set(shapes) != {(count, dimension)}:
            raise ValueError(
                f"The points of {record.tag!r} must be one array ({count}, {dimension}), or {batch} of them; got "
                f"{shapes}."
            )
        new = [Row.of_points(record.region, points, normals) for points, normals in rows]
        self._put_points(record, tuple(new * batch if len(new) == 1 else new), levels)
        if record.normals:
            del self.context[record.normal_tag]
            self.add_normals(record, reverse=record.reverse_normals, levels=levels)

    def _put_points(self, record: SampleRecord, rows: Rows, levels: int) -> None:
        self.rows[record.tag] = rows
        self.context[record.tag] = stack_rows(rows, lambda row: row.points(record.region), levels)

    def materialise(
        self,
        batch: GeometryBatch,
        axis: Time | None,
        request: Request,
        *,
        quiet: bool = False,
        key: str | None = None,
    ) -> SampleRecord:
        """Put the requested points into the context, or find them there.

        Args:
            batch: geometry of every batch row.
            axis: time of the domain.
            request: the points.
            quiet: no warning when a tag has fewer points than requested.
            key: key in the context. Without it a repeated request for all nodes finds the existing points, and every
                other one gets a new key.

        Returns:
            The record of the point set.
        """
        levels = 1 if request.level is not None or axis is None else axis.n
        geometries = batch.by_row
        record = self.reusable(request, geometries) if key is None else None
        if record is None:
            tag = self.fresh_key(request.tag) if key is None else key
            record = SampleRecord(tag, request).without_normals()
            self._put_points(record, self._drawn_rows(tag, request, geometries, quiet=quiet), levels)
            self.context.setdefault(TIME_KEY, time_levels(axis, None))
            self.context.setdefault(record.time_tag, time_levels(axis, record.level))
            self.records.append(record)
        if request.normals and not record.normals:
            record = self.add_normals(record, reverse=request.reverse_normals, levels=levels)
        return record

    def _drawn_rows(self, tag: str, request: Request, geometries: tuple[Geometry, ...], *, quiet: bool) -> Rows:
        """The points of every batch row."""
        source = request.source
        if isinstance(source, NodeSource):
            return node_rows(tag, request.region, source, geometries, self.stream, quiet=quiet)
        if isinstance(source, ShapeSource):
            return shape_rows(request.region, source, geometries, self.stream, request.times)
        record = self.record(source.like)
        points = [row.points(record.region) for row in self.rows[record.tag]]
        return translated_rows(request.region, record.region, points, geometries)


def stack_rows(
    rows: Rows, values: Callable[[Row], Float[np.ndarray, "N D"]], levels: int
) -> Float[np.ndarray, "B T N D"]:
    """The values of every row as one array; equal rows and equal time levels are broadcast, not copied."""
    head = rows[0]
    shared = all(
        row.geometry is head.geometry
        and (row.positions is head.positions or np.array_equal(row.positions, head.positions))
        for row in rows[1:]
    )
    stacked = np.stack([values(row) for row in (rows[:1] if shared else rows)])
    # axes of stride zero say that rows (levels) are equal: the compiler stores them once, view factors need equal rows
    _, count, width = stacked.shape
    return np.broadcast_to(stacked[:, None], (len(rows), levels, count, width))


def time_levels(axis: Time | None, level: float | None) -> Float[np.ndarray, "T 1"]:
    """Times of a point set as a column; a steady domain has the single level one."""
    if level is not None:
        return np.array([[level]])
    return np.ones((1, 1)) if axis is None else axis.levels[:, None]
