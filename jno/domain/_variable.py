"""The methods that put points and data into the context: `variable`, `sample`, `context_for`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jno.trace import Variable
from jno.utils import FLAG, TEXT, checked, instance, one_of

from ._regions import tag as tag_region
from ._regions import with_predicates
from ._time import TimeInterval
from .mesh import check_tag_name
from .radiation import self_view_factor
from .sampling import (
    DomainView,
    Request,
    SampleRecord,
    attach,
    attach_points,
    check_data_options,
    check_normals,
    is_data,
    point_leaves,
    point_request,
    replay,
    same_reading,
    tensor_leaves,
)

_POOL = (None, None)


@checked(
    tag=TEXT,
    normals=FLAG | one_of("vector"),
    reverse_normals=FLAG,
    view_factor=FLAG,
    point_data=FLAG,
    split=FLAG,
    return_indices=FLAG,
)
def variable(
    self: DomainView,
    tag: str,
    sample: Any = _POOL,
    resampling_strategy: object = None,
    normals: bool | str = False,
    reverse_normals: bool = False,
    view_factor: bool = False,
    point_data: bool = False,
    split: bool = False,
    return_indices: bool = False,
    time_value: object = None,
    where: object = None,
    like: object = None,
) -> Any:
    """Sample a region and return its variables, or attach data.

    Points go into `context[key]` as `(B, T, N, D)` when this is called; the variables carry the key as
    their tag. The key is the tag itself the first time. Asking for all points of a tag again gives new
    variables on the same points, which stay distinct for integration; any other repeated request draws
    new points under the key `tag@1`, `tag@2`, … and the earlier points stay.

    On a domain with `time=(t0, t1)` every point has a time of its own: `n` points `(1, 1, n, D + 1)`, the time in the
    last column, drawn from the region and the times after `t0` together. `initial` is the slice at `t0`.

    Args:
        tag: a region (`interior`, `left`, …, `initial` on a time-dependent domain), or the name of new
            data.
        sample: `(n, sampler)`. On a mesh or point cloud `n` of its points (`None`: all; more than there are: all,
            with a warning), chosen uniformly without replacement, by `sampler(points (N, D), n) -> indices`, or by
            an index array. On a polygon domain `n` points of the shape, uniform or, in areas, by `sampler(geometry,
            n) -> points (n, 2)`. The samplers `"uniform"`, `"latin_hypercube"`, `"sobol"`, `"halton"` and, along
            curves, `"equispaced"` place exactly `n` points in the region itself on every kind of domain;
            `jno.sampler.graded(near)` places more of them near corners, edges and interfaces. An array
            or a float instead of the pair attaches data (a number becomes `(1, 1)`): one row per sample where the
            leading dimension is the number `B` of samples, a vector of `B` entries being one number each; one row
            for all samples where it is one, and for other vectors; `(N, k)` with as many rows as a sampled tag has
            points: one row per point.
        resampling_strategy: who replaces the points during training, from `jno.sampler`; normals follow their
            points. Data that is attached to the points does not.
        normals: also sample the unit outward normals, key `n_<key>`; `"vector"` returns them as one variable after
            the coordinates, for `u.d(n)`.
        reverse_normals: inward normals instead (a copy; other variables keep theirs).
        view_factor: also compute the view factors between the points of a boundary tag of the plane, see
            `compute_enclosure_view_factor`: data `f_<key>` `(1, N, N)`, visibilities `v_<key>` `(1, 1, N, N)`.
        point_data: `sample` is points of your own, or values at the points of a tag: `(N, D)`, `(N,)` for one
            column, or `(B, T, N, D)`.
        split: one variable per component for normals, per column for data.
        return_indices: also return the indices of the points within the tag, `(N,)`, or `(B, N)` when the
            batch rows differ.
        time_value: only the stored time level nearest to this value; the points have `T = 1`. Where points have times
            of their own, `time=(t0, t1)`, all points at exactly this time, or with `(a, b)` at times between.
        where: define the region first, see `tag`.
        like: a variable (or the key) of points already sampled on another boundary, of which this boundary is a
            translate: the points are theirs, moved, in their order. Expressions at both are paired point by point,
            as periodic conditions need; the nodes of two such boundaries are paired without it.

    Returns:
        `(x, [y, [z,]] t)`, then `nx, …` with normals and `split`, then the view factors, then the indices. With
        `normals=True` but none of `split`, `view_factor`, `return_indices`: one vector variable for the normal;
        with `normals="vector"` it follows the coordinates: `x, y, t, n`. For data: a `TensorTag`, or a tuple of one
        per column with `split`; with `point_data` a `Variable`, or one per column.

    Raises:
        ValueError: unknown tag, normals on a region that has none, an invalid count, sampler result or
            time; `like` that is not a point set of this domain, is resampled, or is on a boundary of which this one
            is not a translate.
        TypeError: a resampling strategy that is none.
        NotImplementedError: view factors that are not available, see `compute_enclosure_view_factor`.

    Example:
        >>> import jno
        >>> d = jno.domain.rect()
        >>> x, y, t, nx, ny = d.variable("left", normals=True, split=True)
        >>> d.context["n_left"][0, 0, 0].tolist()
        [-1.0, 0.0]
    """
    check_normals(tag, normals, split)
    if is_data(sample):
        check_data_options(
            tag,
            normals=bool(normals),
            reverse_normals=reverse_normals,
            view_factor=view_factor,
            return_indices=return_indices,
            time_value=time_value is not None,
            where=where is not None,
            like=like is not None,
            resampling_strategy=resampling_strategy is not None,
        )
        check_tag_name(tag)
        return (attach_points if point_data else attach)(self, tag, sample, split)
    if view_factor:
        _check_view_factors(self, tag, resampling_strategy)
    if point_data:
        raise ValueError(f"variable({tag!r}, point_data=True) needs an array of points as its second argument.")
    if where is not None:
        tag_region(self, tag, where)
    if tag in self.tensor_tags and sample is _POOL:
        return tensor_leaves(self, tag, split)
    key = like.tag if isinstance(like, Variable) and like.domain is self else like
    request = point_request(
        self,
        tag,
        sample,
        normals=bool(normals) or view_factor,
        reverse_normals=reverse_normals,
        time_value=time_value,
        strategy=resampling_strategy,
        like=key,
    )
    record = _materialised(self, request)
    leaves = point_leaves(record, self, normals=normals, split=split or view_factor or return_indices)
    factors = (self_view_factor(self, record),) if view_factor else ()
    indices = (_indices(self, record),) if return_indices else ()
    return (*leaves, *factors, *indices) if factors or indices else leaves


def _check_view_factors(domain: DomainView, tag: str, resampling_strategy: object) -> None:
    if resampling_strategy is not None:
        raise ValueError(
            f"variable({tag!r}, view_factor=True): view factors belong to points that stay; leave "
            "resampling_strategy= out."
        )
    if isinstance(domain.time_axis, TimeInterval):
        raise ValueError(
            f"variable({tag!r}, view_factor=True): view factors are between points at the same times, and on a domain "
            "with time=(t0, t1) every point has a time of its own; give levels, time=(t0, t1, n)."
        )


def _materialised(domain: DomainView, request: Request) -> SampleRecord:
    return domain.samples.materialise(domain.batch, domain.time_axis, request)


def _indices(domain: DomainView, record: SampleRecord) -> Int[np.ndarray, "*B N"]:
    """Indices into the tag's points, `(N,)`, or `(B, N)` when the batch rows differ."""
    if record.drawn:
        raise ValueError(
            f"return_indices=True: the points of {record.tag!r} were drawn from the shape and are no nodes with "
            "indices; sample all nodes of a mesh, sample=(None, None) after build_mesh, or leave it out."
        )
    indices = np.stack([row.positions for row in domain.samples.rows[record.tag]])
    return indices[0] if np.all(indices == indices[0]) else indices


@checked(spec=instance("a dict tag -> (n, sampler)", Mapping), normals=FLAG, return_indices=FLAG)
def sample(
    self: DomainView,
    spec: Mapping[str, object],
    normals: bool = False,
    return_indices: bool = False,
    time_value: object = None,
) -> tuple[Float[np.ndarray, "B T N D"], Int[np.ndarray, "*R N"] | None, str]:
    """Sample several tags into the context without making variables.

    Args:
        spec: tag -> `(n, sampler)`, as in `variable`.
        normals: also sample the normals of every tag.
        return_indices: also return indices.
        time_value: only the time level nearest to this value.

    Returns:
        Of the last tag: its points `(B, T, N, D)`, its indices or `None`, and its key in the context.
        Repeated requests behave as in `variable`.

    Raises:
        ValueError: no tags, or what `variable` raises.

    Example:
        >>> import jno
        >>> points, _, key = jno.domain.rect().sample({"interior": (20, None)})
        >>> points.shape, key
        ((1, 1, 20, 2), 'interior')
    """
    if not spec:
        raise ValueError("sample({}) names no tag; give {tag: (n, sampler), ...}.")
    requests = [point_request(self, tag, pair, normals=normals, time_value=time_value) for tag, pair in spec.items()]
    record = [_materialised(self, request) for request in requests][-1]
    # Handing the points out pins the key, as a variable does.
    self.samples.prefilled.discard(record.tag)
    return self.context[record.tag], _indices(self, record) if return_indices else None, record.tag


@checked(recorded_on=instance("a domain", DomainView))
def context_for(self: DomainView, recorded_on: DomainView) -> dict[str, Any]:
    """A context on this domain with the keys that another domain has sampled; neither domain is changed.

    What this domain has sampled itself under the same key is kept. Missing point sets are sampled here:
    whole pools give all points, counted ones the same number, or all where there are fewer. Regions that
    the other domain defined by a predicate are evaluated here; regions that do not exist here are left
    out. Missing data is taken from the other domain.

    Args:
        recorded_on: the domain whose samples are repeated, e.g. the one used for training.

    Returns:
        The arrays by key.

    Example:
        >>> import jno
        >>> coarse, fine = jno.domain.line(), jno.domain.line(mesh_size=0.01)
        >>> x, t = coarse.variable("interior")
        >>> fine.context_for(coarse)["interior"].shape
        (1, 1, 101, 1)
    """
    batch = self.batch.mapped(lambda geometry: with_predicates(geometry, recorded_on.geometry.predicates))
    context = replay(recorded_on.samples, self.samples.copy(), batch, self.time_axis)
    for name in recorded_on.tensor_tags - self.tensor_tags:
        context[name] = same_reading(context[name], recorded_on.total_samples, self.total_samples)
    return context


def data_item(self: DomainView, tag: str) -> Any:
    """`domain[tag]` is `domain.variable(tag)`."""
    return variable(self, tag)
