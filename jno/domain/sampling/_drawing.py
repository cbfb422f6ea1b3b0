"""Requests for points that are drawn from a shape: how many, and who replaces them during training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from jno.sampler import RandomResampling, ResamplingStrategy

from ..geometry._geometry import Geometry
from ._context import SampleRecord, SampleStore
from ._drawable import Drawn
from ._sampling import SampleSpec


def drawn_request(request: SampleRecord, geometries: tuple[Geometry, ...], strategy: Any) -> SampleRecord:
    """The request as it is for nodes, or for points of the shape: with a count and a resampling strategy.

    Of a shape without a count and without a mesh it is one point, which is replaced at random in every epoch unless a
    strategy was given.
    """
    region = request.region
    lazies = [geometry.lazy for geometry in geometries if region in geometry.drawable and geometry.lazy is not None]
    if not lazies:
        return replace(request, drawn=request.spec.is_named, resampling_strategy=_checked(request, strategy))
    registered = _checked(request, lazies[0].strategy(region) if strategy is None else strategy)
    on_nodes = request.spec.is_whole and all(region in geometry.tags for geometry in geometries)
    unmeshed = all(geometry.mesh is None for geometry in geometries)
    if request.spec.count is None and unmeshed:
        request = replace(request, spec=SampleSpec(1, request.spec.sampler))
        registered = RandomResampling(1, 1.0, 0) if registered is None else registered
    return replace(request, drawn=not on_nodes, resampling_strategy=registered)


def matched_request(
    request: SampleRecord, like: Any, strategy: Any, store: SampleStore, geometries: tuple[Geometry, ...]
) -> SampleRecord:
    """The request for the translates of the points of another point set, which `like` names."""
    record = store.find(like) if isinstance(like, str) else None
    call = f"variable({request.base!r}, like={like if record is None else record.tag!r})"
    if record is None:
        raise ValueError(
            f"{call}: give a variable (or the key) of points sampled before; there are "
            f"{[known.tag for known in store.records]}."
        )
    if strategy is not None or record.resampling_strategy is not None:
        raise ValueError(
            f"{call}: matched points stay, neither of the two may have a resampling strategy. For points that are "
            "drawn anew evaluate an expression at translated coordinates, such as u(x + 1, y)."
        )
    if not request.spec.is_whole:
        raise ValueError(f"{call} takes no sample=: the points are those of {record.tag!r}, moved.")
    for region in (request.region, record.region):
        if not all(geometry.is_boundary(region) for geometry in geometries):
            raise ValueError(f"{call}: {region!r} is not a boundary tag; only boundaries are matched.")
    count = store.context[record.tag].shape[2]
    first = record.tag if record.like is None else record.like
    return replace(request, spec=SampleSpec(count, None), drawn=True, like=first)


def _checked(request: SampleRecord, strategy: Any) -> ResamplingStrategy | None:
    if strategy is None or isinstance(strategy, ResamplingStrategy):
        return strategy
    raise TypeError(
        f"The resampling strategy of {request.base!r} must be one of jno.sampler, such as jno.sampler.rad(), or an "
        f"instance of a subclass of jno.sampler.ResamplingStrategy; got {strategy!r}."
    )


def candidate_points(
    geometry: Geometry, record: SampleRecord, count: int, generator: np.random.Generator, *, on_nodes: bool
) -> Drawn:
    """Points from which training may choose new ones, and their outward normals on a boundary.

    They are drawn from the shape or from the cells or facets of the mesh. Where only nodes have a meaning, in a point
    cloud, and for regions without cells and facets they are all points of the region.
    """
    region = record.region
    tag = geometry.tags.get(region)
    if tag is not None and (on_nodes or geometry.is_cloud or (tag.cells is None and tag.facets is None)):
        return geometry.pool(region), tag.normals
    sampler = record.spec.sampler if record.drawn else None
    return geometry.draw(region, count, sampler, generator)
