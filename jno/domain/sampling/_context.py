"""The sampled arrays of a domain: point sets `(B, T, N, D)`, normals, times and data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from ..geometry._geometry import Geometry
from ._drawable import Drawn
from ._matched import matched_rows
from ._sampling import RandomStream, Rows, SampleSpec, cloud_row, draw_rows
from ._time import TimeAxis

TIME_KEY = "__time__"
INITIAL = "initial"


@dataclass(frozen=True, eq=False)
class SampleRecord:
    """One point set of the context and the request that made it.

    Attributes:
        tag: key in the context.
        base: tag of the geometry the points come from.
        spec: count and sampler.
        normals: whether `n_<tag>` is in the context.
        reverse_normals: whether these normals point inward.
        level: the fixed time level, `None` when the points exist at all levels.
        resampling_strategy: strategy that replaces the points during training.
        drawn: whether the points were drawn from the shape itself instead of from nodes.
        like: key of the point set whose translates the points are.
    """

    tag: str
    base: str
    spec: SampleSpec = field(default_factory=SampleSpec)
    normals: bool = False
    reverse_normals: bool = False
    level: float | None = None
    resampling_strategy: Any = None
    drawn: bool = False
    like: str | None = None

    @property
    def sample(self) -> tuple[int | None, Any]:
        """`(n, sampler)` as it was asked for."""
        return (self.spec.count, self.spec.sampler)

    @property
    def region(self) -> str:
        """The geometry's tag: the points of `initial` are those of the interior."""
        return "interior" if self.base == INITIAL else self.base

    @property
    def time_tag(self) -> str:
        """Key of the time levels that belong to the points."""
        return TIME_KEY if self.level is None else f"__time_{self.tag}__"


class SampleStore:
    """Everything that a domain has sampled so far; only resampling overwrites points, never their number."""

    def __init__(self, draws: int = 0) -> None:
        self.context: dict[str, Any] = {}
        self.records: list[SampleRecord] = []
        self.rows: dict[str, Rows] = {}
        self.handles: dict[str, int] = {}
        self.tensor_tags: set[str] = set()
        self.data_tags: set[str] = set()
        # Whole point sets of a cloud, there from the start; a request may replace one that nobody has used.
        self.prefilled: set[str] = set()
        self.stream = RandomStream(draws)

    def without_points(self) -> SampleStore:
        """A store with the same user data and random stream, but no sampled points."""
        other = SampleStore(self.stream.draws)
        for name in self.tensor_tags | self.data_tags:
            other.context[name] = self.context[name]
        other.tensor_tags = set(self.tensor_tags)
        other.data_tags = set(self.data_tags)
        return other

    def copy(self) -> SampleStore:
        """A store that can be changed independently; the arrays themselves are shared."""
        other = self.without_points()
        other.context = dict(self.context)
        other.records = list(self.records)
        other.rows = dict(self.rows)
        other.handles = dict(self.handles)
        other.prefilled = set(self.prefilled)
        return other

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
        count = self.handles.get(tag, 0)
        self.handles[tag] = count + 1
        return count

    def find(self, tag: str) -> SampleRecord | None:
        """The record of a point set."""
        return next((record for record in self.records if record.tag == tag), None)

    def reusable(self, request: SampleRecord, geometries: tuple[Geometry, ...]) -> SampleRecord | None:
        """A whole-pool point set of the same nodes that already answers a whole-pool request."""
        if not request.spec.is_whole or request.like is not None:
            return None
        for record in self.records:
            same = (record.base, record.level, record.spec.is_whole) == (request.base, request.level, True)
            clash = request.normals and record.normals and record.reverse_normals != request.reverse_normals
            nodes = self.rows[record.tag] if same else ()
            # After re-meshing the nodes are others; a new tag leaves them as they are.
            current = all(old.points is new.points for (old, _), new in zip(nodes, geometries, strict=False))
            strategy = request.resampling_strategy
            resampled = strategy is None or strategy is record.resampling_strategy
            if same and current and resampled and not clash:
                return record
        return None

    def add_normals(self, record: SampleRecord, *, reverse: bool, levels: int) -> SampleRecord:
        """Give a point set its normals; returns the updated record."""
        key = f"n_{record.tag}"
        if key in self.context:
            raise ValueError(
                f"The normals of {record.tag!r} have the key {key!r}, which already names other points or data of this "
                "domain; give those another name."
            )
        sign = -1.0 if reverse else 1.0
        rows = self.rows[record.tag]

        def values(geometry: Geometry) -> np.ndarray:
            normals = geometry.tags[record.region].normals
            assert normals is not None  # the request was checked against every geometry
            return sign * normals

        self.context[key] = stack_rows(rows, values, levels)
        updated = replace(record, normals=True, reverse_normals=reverse)
        self.records[self.records.index(record)] = updated
        return updated

    def points_of(self, record: SampleRecord, row: int) -> Drawn:
        """The points of one batch row and their outward normals, `None` for a region that has none."""
        geometry, chosen = self.rows[record.tag][row]
        normals = geometry.tags[record.region].normals
        return geometry.pool(record.region)[chosen], None if normals is None else normals[chosen]

    def replace_points(self, record: SampleRecord, rows: Sequence[Any]) -> None:
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
        clouds = [cloud_row(record.region, points, normals) for points, normals in rows]
        self.rows[record.tag] = made = tuple(clouds * batch if len(clouds) == 1 else clouds)
        self.context[record.tag] = stack_rows(made, lambda geometry: geometry.pool(record.region), levels)
        if record.normals:
            del self.context[f"n_{record.tag}"]
            self.add_normals(record, reverse=record.reverse_normals, levels=levels)


def stack_rows(rows: Rows, values: Callable[[Geometry], np.ndarray], levels: int) -> Float[np.ndarray, "B T N D"]:
    """The values of every row as one array; equal rows and equal time levels are broadcast, not copied."""
    geometry, indices = rows[0]
    shared = all(
        other is geometry and (chosen is indices or np.array_equal(chosen, indices)) for other, chosen in rows[1:]
    )
    distinct = rows[:1] if shared else rows
    block = np.stack([values(other)[chosen] for other, chosen in distinct])
    _, n_points, width = block.shape
    return np.broadcast_to(block[:, None], (len(rows), levels, n_points, width))


def time_levels(axis: TimeAxis | None, level: float | None) -> Float[np.ndarray, "T 1"]:
    """Times of a point set as a column; a steady domain has the single level one."""
    if level is not None:
        return np.array([[level]])
    return np.ones((1, 1)) if axis is None else axis.levels[:, None]


def materialise(
    store: SampleStore,
    geometries: tuple[Geometry, ...],
    axis: TimeAxis | None,
    request: SampleRecord,
    *,
    quiet: bool = False,
    key: str | None = None,
) -> SampleRecord:
    """Put the requested points (one geometry per batch row) into the store, or find them there.

    `key` fixes the context key; without it a repeated whole-pool request finds the existing points and every
    other one gets a new key.
    """
    levels = 1 if request.level is not None or axis is None else axis.n
    record = store.reusable(request, geometries) if key is None else None
    if record is None:
        tag = store.fresh_key(request.base) if key is None else key
        record = replace(request, tag=tag, normals=False, reverse_normals=False)
        rows = _rows(store, geometries, replace(request, tag=tag), quiet=quiet)
        store.rows[tag] = rows
        store.context[tag] = stack_rows(rows, lambda geometry: geometry.pool(request.region), levels)
        store.context.setdefault(TIME_KEY, time_levels(axis, None))
        store.context.setdefault(record.time_tag, time_levels(axis, record.level))
        store.records.append(record)
    if request.normals and not record.normals:
        record = store.add_normals(record, reverse=request.reverse_normals, levels=levels)
    return record


def _rows(store: SampleStore, geometries: tuple[Geometry, ...], request: SampleRecord, *, quiet: bool) -> Rows:
    """The points of every batch row: those of another point set moved onto the region, or drawn."""
    if request.like is None:
        return draw_rows(request.tag, request.region, request.spec, geometries, store.stream, quiet=quiet)
    source = store.find(request.like)
    assert source is not None  # checked with the request
    points = [store.points_of(source, row)[0] for row in range(len(geometries))]
    return matched_rows(request.region, source.region, points, geometries)
