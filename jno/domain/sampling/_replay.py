"""Sampling one domain in the way another one was sampled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..geometry._geometry import Geometry
from ._context import INITIAL, TIME_KEY, SampleRecord, SampleStore, materialise, time_levels
from ._sampling import SampleSpec
from ._time import TimeAxis


def _request_on(record: SampleRecord, geometries: tuple[Geometry, ...], axis: TimeAxis | None) -> SampleRecord | None:
    """The same request for other geometries, or `None` when it has no meaning there."""
    if not all(geometry.has(record.region) for geometry in geometries):
        return None
    if record.normals and not all(geometry.is_boundary(record.region) for geometry in geometries):
        record = replace(record, normals=False, reverse_normals=False)
    if record.level is not None:
        if axis is None:
            return None
        level = axis.start if record.base == INITIAL else record.level
        if not axis.contains(level):
            return None
        record = replace(record, level=axis.nearest(level))
    if isinstance(record.spec.sampler, np.ndarray):  # node indices of the other mesh mean nothing here
        record = replace(record, spec=SampleSpec(record.spec.count, None))
    return record


def _counted(record: SampleRecord, count: int, geometries: tuple[Geometry, ...]) -> SampleRecord:
    """Where a region has no nodes, as many points are drawn as were recorded; samplers of another kind are left out."""
    if record.spec.is_named:
        return record
    if all(record.region in geometry.drawable for geometry in geometries):
        on_nodes = all(record.region in geometry.tags for geometry in geometries)
        asked = record.spec.count if record.spec.count is not None or on_nodes else count
        return replace(record, spec=SampleSpec(asked, record.spec.sampler if record.drawn else None))
    return replace(record, spec=SampleSpec(record.spec.count, None)) if record.drawn else record


def replay(
    recorded: SampleStore, store: SampleStore, geometries: tuple[Geometry, ...], axis: TimeAxis | None
) -> dict[str, Any]:
    """A context with the recorded keys; `store` must be a private copy.

    Keys that exist already are kept. Missing point sets are sampled on the geometries: whole pools give all
    points, counted ones the same number, or all points where there are fewer. Missing data is copied.
    """
    store.context.setdefault(TIME_KEY, time_levels(axis, None))
    for record in recorded.records:
        existing = store.find(record.tag)
        request = _request_on(record, geometries, axis)
        if request is None or (request.like is not None and store.find(request.like) is None):
            continue
        request = _counted(request, recorded.context[record.tag].shape[2], geometries)
        if existing is None and record.tag not in store.context:
            materialise(store, geometries, axis, request, quiet=True, key=record.tag)
        if existing is not None and request.normals and not existing.normals:
            levels = store.context[existing.tag].shape[1]
            store.add_normals(existing, reverse=request.reverse_normals, levels=levels)
    for name in sorted(recorded.tensor_tags | recorded.data_tags):
        store.context.setdefault(name, recorded.context[name])
    return store.context
