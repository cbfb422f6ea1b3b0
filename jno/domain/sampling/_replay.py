"""Sampling one domain in the way another one was sampled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from jno.sampler import Graded

from .._time import Time, TimeInterval
from ..geometry import GeometryBatch
from ._record import INITIAL, TIME_KEY, Request, SampleRecord
from ._source import NodeSource, Sample, ShapeSource, Source, TranslateSource, source_of
from ._store import SampleStore, time_levels


def replay(recorded: SampleStore, store: SampleStore, batch: GeometryBatch, axis: Time | None) -> dict[str, Any]:
    """A context with the recorded keys; `store` must be a private copy.

    Keys that exist already are kept. Missing point sets are sampled on the geometries: whole pools give all
    points, counted ones the same number, or all points where there are fewer. Missing data is copied.
    """
    store.context.setdefault(TIME_KEY, time_levels(axis, None))
    for record in recorded.records:
        present = store.find(record.tag)
        request = _request_on(record, recorded.context[record.tag].shape[2], batch, axis)
        if request is None or (isinstance(request.source, TranslateSource) and store.find(request.source.like) is None):
            continue
        if present is None and record.tag not in store.context:
            store.materialise(batch, axis, request, quiet=True, key=record.tag)
        if present is not None and request.normals and not present.normals:
            levels = store.context[present.tag].shape[1]
            store.add_normals(present, reverse=request.reverse_normals, levels=levels)
    for name in sorted(recorded.user_data):
        store.context.setdefault(name, recorded.context[name])
    return store.context


def _request_on(record: SampleRecord, count: int, batch: GeometryBatch, axis: Time | None) -> Request | None:
    """The same request for other geometries, or `None` when it has no meaning there."""
    request, region = record.request, record.region
    if not batch.every(lambda geometry: geometry.has(region)):
        return None
    if request.normals and not batch.every(lambda geometry: geometry.is_boundary(region)):
        request = replace(request, normals=False, reverse_normals=False)
    if request.level is not None:
        if axis is None:
            return None
        level = axis.start if request.tag == INITIAL else request.level
        if not axis.contains(level):
            return None
        request = replace(request, level=axis.nearest(level))
    if request.times is not None:
        inside = isinstance(axis, TimeInterval) and all(map(axis.contains, request.times.spec))
        return replace(request, source=_drawn_source(request.source, region, batch)) if inside else None
    return replace(request, source=_source_on(request.source, region, count, batch))


def _drawn_source(source: Source, region: str, batch: GeometryBatch) -> Source:
    """The source of points with times on other geometries: always drawn; functions of the user place them in shapes."""
    if not isinstance(source, ShapeSource) or batch.every(lambda geometry: region in geometry.drawable):
        return source
    return ShapeSource(source.count, source.sampler if isinstance(source.sampler, str | Graded) else None)


def _source_on(source: Source, region: str, count: int, batch: GeometryBatch) -> Source:
    """The same source on other geometries.

    Where a region has no nodes, as many points are drawn as were recorded; samplers of another kind are left out.
    """
    if isinstance(source, TranslateSource) or isinstance(source.sampler, str | Graded):
        return source
    drawn = isinstance(source, ShapeSource)
    if batch.every(lambda geometry: region in geometry.drawable):
        meshed = batch.every(lambda geometry: region in geometry.tags)
        points = source.count if source.count is not None or meshed else count
        return source_of(region, Sample(points, source.sampler if drawn else None), batch.distinct)
    # node indices of the other mesh mean nothing here
    return NodeSource(source.count, None if drawn or isinstance(source.sampler, np.ndarray) else source.sampler)
