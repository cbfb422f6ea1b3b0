"""From the arguments of `variable` and `sample` to a checked request."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real

from jno.sampler import RandomResampling, ResamplingStrategy

from .._time import TimeInterval
from ..geometry import Geometry
from ._record import INITIAL, Request, SampleRecord, region_of
from ._source import NodeSource, Sample, ShapeSource, Source, TranslateSource, is_unmeshed_shape, source_of
from ._view import DomainView, unknown_tag


def point_request(
    domain: DomainView,
    tag: str,
    pair: object,
    *,
    normals: bool = False,
    reverse_normals: bool = False,
    time_value: object = None,
    strategy: object = None,
    like: object = None,
) -> Request:
    """The request for points of a tag: by a user's `(n, sampler)`, or the translates of the point set `like`.

    Of a shape without a count and without a mesh it is one point, which is replaced at random in every epoch unless a
    strategy was given.
    """
    sample = Sample.from_pair(str(tag), pair)
    request = _without_source(domain, tag, normals, reverse_normals, time_value)
    if like is not None:
        return replace(request, source=_translates(domain, request, sample, like, strategy))
    checked = _checked_strategy(request, strategy)
    geometries = domain.batch.distinct
    if checked is None:
        checked = _checked_strategy(request, _registered_strategy(request.region, geometries))
    if checked is None and is_unmeshed_shape(request.region, sample, geometries):
        checked = RandomResampling(1, 1.0, 0)
    source = source_of(request.region, sample, geometries)
    if request.times is not None:
        source = _drawn(request, source)
    return replace(request, source=source, strategy=checked)


def _translates(
    domain: DomainView, request: Request, sample: Sample, like: object, strategy: object
) -> TranslateSource:
    """The points of another point set, which `like` names."""
    store = domain.samples
    record = store.find(like) if isinstance(like, str) else None
    call = f"variable({request.tag!r}, like={like if record is None else record.tag!r})"
    if record is None:
        raise ValueError(
            f"{call}: give a variable (or the key) of points sampled before; there are "
            f"{[present.tag for present in store.records]}."
        )
    if strategy is not None or record.resampling_strategy is not None:
        raise ValueError(
            f"{call}: matched points stay, neither of the two may have a resampling strategy. For points that are "
            "drawn anew evaluate an expression at translated coordinates, such as u(x + 1, y)."
        )
    if not sample.is_pool:
        raise ValueError(f"{call} takes no sample=: the points are those of {record.tag!r}, moved.")
    for region in (request.region, record.region):
        if not _is_boundary(domain, region):
            raise ValueError(f"{call}: {region!r} is not a boundary tag; only boundaries are matched.")
    if request.times != record.times:
        raise ValueError(
            f"{call}: matched points have the same times; give time_value= as for {record.tag!r}, or leave it out."
        )
    # a chain of translates refers to its first point set, so that all of them count as matched
    origin = record.tag if record.like is None else record.like
    return TranslateSource(origin, store.context[record.tag].shape[2])


def whole_tag(domain: DomainView, tag: str) -> SampleRecord:
    """The point set of a tag, all of whose nodes are sampled now unless it has been sampled before."""
    record = domain.samples.find(tag)
    if record is not None:
        return record
    if tag not in domain.sampled_tags:
        raise unknown_tag(domain, tag)
    if region_of(tag) not in domain.geometry.tags:
        raise ValueError(
            f"The tag {tag!r} has not been sampled; call domain.variable({tag!r}, sample=(n, None)) first."
        )
    record = domain.samples.materialise(domain.batch, domain.time_axis, point_request(domain, tag, (None, None)))
    domain.samples.next_handle(record.tag)
    return record


def _without_source(domain: DomainView, tag: str, normals: bool, reverse_normals: bool, time_value: object) -> Request:
    if tag not in domain.sampled_tags:
        raise unknown_tag(domain, tag)
    times = _own_times(domain, tag, time_value)
    level = None if times is not None else _fixed_level(domain, tag, time_value)
    request = Request(tag, normals=normals, reverse_normals=reverse_normals, level=level, times=times)
    if reverse_normals and not normals:
        raise ValueError("reverse_normals=True needs normals=True.")
    if normals and not _is_boundary(domain, request.region):
        boundaries = (name for name in domain.sampled_tags if name != INITIAL and domain.geometry.is_boundary(name))
        raise ValueError(
            f"The tag {tag!r} has no outward normals: it is not a boundary tag. Boundary tags: {sorted(boundaries)}. "
            "A part of the boundary gets a tag by its facets: domain.tag(name, lambda x, n, name: ...)."
        )
    return request


def _is_boundary(domain: DomainView, region: str) -> bool:
    return domain.batch.every(lambda geometry: geometry.is_boundary(region))


def _own_times(domain: DomainView, tag: str, time_value: object) -> TimeInterval | None:
    """The interval in which every point gets a time of its own; `None` for points at levels or at one time."""
    interval = domain.time_axis
    if not isinstance(interval, TimeInterval) or tag == INITIAL:
        return None
    if isinstance(time_value, tuple | list):
        return interval.window(tag, tuple(time_value))
    return interval if time_value is None else None


def _drawn(request: Request, source: Source) -> ShapeSource:
    """The source of points with times of their own, which are drawn from the region and are no nodes."""
    if isinstance(source, ShapeSource):
        return source
    assert isinstance(source, NodeSource)  # translates are asked for in another way
    if source.count is None or source.sampler is not None:
        raise ValueError(
            f"The points of {request.tag!r} have times of their own on this domain, time=(t0, t1), and nodes have "
            f"none: say how many to draw, sample=(n, 'sobol') or (n, None); nodes at one time are "
            f"variable({request.tag!r}, time_value=t)."
        )
    return ShapeSource(source.count)


def _fixed_level(domain: DomainView, tag: str, time_value: object) -> float | None:
    """The fixed time level of a request, if it has one."""
    axis = domain.time_axis
    if axis is None:
        if time_value is not None:
            raise ValueError(f"time_value={time_value!r} needs a time-dependent domain; give time=(t0, t1, n).")
        return None
    if time_value is not None and not isinstance(time_value, Real):
        raise ValueError(f"time_value must be a number; got {time_value!r}.")
    if tag != INITIAL:
        return None if time_value is None else axis.nearest(float(time_value))
    if time_value is not None and time_value != axis.start:
        raise ValueError(f"'initial' is fixed at t0={axis.start}; got time_value={time_value!r}.")
    return axis.start


def _registered_strategy(region: str, geometries: tuple[Geometry, ...]) -> object:
    """The resampling strategy that a polygon domain has for a tag."""
    for geometry in geometries:
        if geometry.lazy is not None and region in geometry.drawable:
            return geometry.lazy.strategy(region)
    return None


def _checked_strategy(request: Request, strategy: object) -> ResamplingStrategy | None:
    if strategy is None or isinstance(strategy, ResamplingStrategy):
        return strategy
    raise TypeError(
        f"The resampling strategy of {request.tag!r} must be one of jno.sampler, such as jno.sampler.rad(), or an "
        f"instance of a subclass of jno.sampler.ResamplingStrategy; got {strategy!r}."
    )
