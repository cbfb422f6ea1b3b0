"""Sampling a domain: variables, samples, candidates, and replaying another domain's samples."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from jno.trace import Variable

from .._regions import Regions, with_predicate
from ..fields._fields import PositionFields
from ..geometry._geometry import Geometry
from ..geometry._merge import row_geometries
from ..io._summary import summary_lines
from ..mesh._tags import check_tag_name
from ._context import INITIAL, TIME_KEY, SampleRecord, materialise, time_levels
from ._drawable import Drawn
from ._drawing import candidate_points, drawn_request, matched_request
from ._replay import replay
from ._sampling import SampleSpec
from ._variables import (
    check_normals,
    checked_data,
    data_options,
    is_data,
    is_lazy,
    kept_reading,
    point_data,
    point_data_leaves,
    point_leaves,
    tensor_leaves,
)

S = TypeVar("S", bound="SampleAccess")
_EVERYTHING = (None, None)


class SampleAccess(PositionFields):
    """Everything that puts points and data into the context."""

    def variable(
        self,
        tag: str,
        sample: Any = _EVERYTHING,
        resampling_strategy: Any = None,
        normals: bool | str = False,
        reverse_normals: bool = False,
        view_factor: bool = False,
        point_data: bool = False,
        split: bool = False,
        return_indices: bool = False,
        time_value: Any = None,
        where: Any = None,
        like: Any = None,
    ) -> Any:
        """Sample a region and return its variables, or attach data.

        Points go into `context[key]` as `(B, T, N, D)` when this is called; the variables carry the key as
        their tag. The key is the tag itself the first time. Asking for all points of a tag again gives new
        variables on the same points, which stay distinct for integration; any other repeated request draws
        new points under the key `tag@1`, `tag@2`, … and the earlier points stay.

        Args:
            tag: a region (`interior`, `left`, …, `initial` on a time-dependent domain), or the name of new
                data.
            sample: `(n, sampler)`. On a mesh or point cloud `n` of its points (`None`: all; more than there are: all,
                with a warning), chosen uniformly without replacement, by `sampler(points (N, D), n) -> indices`, or by
                an index array. On a polygon domain `n` points of the shape, uniform or, in areas, by `sampler(geometry,
                n) -> points (n, 2)`. The samplers `"uniform"`, `"latin_hypercube"`, `"sobol"`, `"halton"` and, along
                curves, `"equispaced"` place exactly `n` points in the region itself on every kind of domain. An array
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
            time_value: only the stored time level nearest to this value; the points have `T = 1`.
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
                time; `like` that is no point set of this domain, is resampled, or is on a boundary of which this one
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
            point_options = {
                "normals": normals,
                "reverse_normals": reverse_normals,
                "view_factor": view_factor,
                "return_indices": return_indices,
                "time_value": time_value is not None,
                "where": where is not None,
                "like": like is not None,
                "resampling_strategy": resampling_strategy is not None,
            }
            data_options(tag, point_options)
            check_tag_name(tag)
            return self._attach_points(tag, sample, split) if point_data else self._attach(tag, sample, split)
        if view_factor and resampling_strategy is not None:
            raise ValueError(
                f"variable({tag!r}, view_factor=True): view factors belong to points that stay; leave "
                "resampling_strategy= out."
            )
        if point_data:
            raise ValueError(f"variable({tag!r}, point_data=True) needs an array of points as its second argument.")
        if where is not None:
            self.tag(tag, where)
        if tag in self._store.tensor_tags and sample is _EVERYTHING:
            return tensor_leaves(tag, self.context[tag], self, split)
        spec = SampleSpec.from_tuple(str(tag), sample)
        request = self._request(tag, spec, bool(normals) or view_factor, reverse_normals, time_value)
        if like is not None:
            geometries = tuple(group.geometry for group in self._groups)
            key = like.tag if isinstance(like, Variable) and like.domain is self else like
            drawn = matched_request(request, key, resampling_strategy, self._store, geometries)
        else:
            drawn = self._drawn(request, resampling_strategy)
        record = self._materialise(drawn)
        leaves = point_leaves(
            record,
            self,
            normals=normals,
            split=split or view_factor or return_indices,
            copy=self._store.next_handle(record.tag),
        )
        factors = (self._view_factor(record),) if view_factor else ()
        indices = (self._indices(record),) if return_indices else ()
        return leaves + factors + indices if factors or indices else leaves

    def __getitem__(self, tag: str) -> Any:
        """`domain[tag]` is `domain.variable(tag)`."""
        return self.variable(tag)

    def _data_key(self, name: str, array: Any) -> str:
        """The key of new data; attaching the same array again finds it."""
        if name in self._pool_tags():
            raise ValueError(f"{name!r} is a region of this domain and cannot name data; use another name.")
        known = self.context.get(name)
        lazy = is_lazy(known) or is_lazy(array)
        if known is array or (known is not None and not lazy and _equal(known, array)):
            return name
        key = self._store.fresh_key(name)
        if key != name:
            self.log.info(f"{name!r} already names other data of this domain; the new array has the key {key!r}.")
        return key

    def _attach(self, name: str, values: Any, split: bool = False) -> Any:
        array = checked_data(name, values)
        if split and len(array.shape) == 1:
            array = np.asarray(array[:])[None]  # entries that are columns belong to one row
        key = self._data_key(name, array)
        self.context[key] = array
        self._store.tensor_tags.add(key)
        return tensor_leaves(key, array, self, split)

    def _attach_points(self, name: str, values: Any, split: bool) -> Any:
        array = point_data(name, checked_data(name, values))
        key = self._data_key(name, array)
        self.context[key] = array
        self.context.setdefault(TIME_KEY, time_levels(self._axis, None))
        self._store.data_tags.add(key)
        return point_data_leaves(key, array, self, split, self._store.next_handle(key))

    def sample(
        self,
        spec: Mapping[str, Any],
        normals: bool = False,
        return_indices: bool = False,
        time_value: Any = None,
    ) -> tuple[Float[np.ndarray, "B T N D"], np.ndarray | None, str]:
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
        requests = [
            self._drawn(self._request(tag, SampleSpec.from_tuple(str(tag), entry), normals, False, time_value), None)
            for tag, entry in spec.items()
        ]
        record = [self._materialise(request) for request in requests][-1]
        # Handing the points out pins the key, as a variable does.
        self._store.prefilled.discard(record.tag)
        return self.context[record.tag], self._indices(record) if return_indices else None, record.tag

    def draw_candidates(self, tag: str) -> tuple[Float[np.ndarray, "M D"] | None, Float[np.ndarray, "M D"] | None]:
        """Points of a tag on all merged geometries: all nodes, or fresh points of a shape.

        Of a shape they are ten times as many as are in use, at least a thousand, drawn anew at every call. Training
        draws candidates by itself, from the cells and facets of a mesh too.

        Args:
            tag: a tag of the geometry or a key of the context made from one.

        Returns:
            Points `(M, D)` and their normals, `None` for a region that has none; `(None, None)` for an
            unknown tag.

        Example:
            >>> import jno
            >>> points, normals = jno.domain.line(mesh_size=0.5).draw_candidates("interior")
            >>> points.shape, normals
            ((3, 1), None)
        """
        record = self._store.find(tag)
        region = record.region if record is not None else "interior" if tag == INITIAL else tag
        geometries: list[Geometry] = []
        for group in self._groups:
            if not any(group.geometry is seen for seen in geometries):
                geometries.append(group.geometry)
        if not all(geometry.has(region) for geometry in geometries):
            return None, None
        if all(region in geometry.drawable for geometry in geometries) or (record is not None and record.drawn):
            return self._drawn_candidates(region, record, geometries)
        points = np.concatenate([geometry.pool(region) for geometry in geometries])
        normals = [geometry.tags[region].normals for geometry in geometries]
        known = [values for values in normals if values is not None]
        if len(known) < len(normals):
            return points, None
        sign = -1.0 if record is not None and record.reverse_normals else 1.0
        return points, sign * np.concatenate(known)

    def context_for(self, recorded_on: Any) -> dict[str, Any]:
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
        geometries = tuple(_with_predicates(geometry, recorded_on) for geometry in row_geometries(self._groups))
        context = replay(recorded_on._store, self._store.copy(), geometries, self._axis)
        for name in recorded_on.tensor_tags - self.tensor_tags:
            context[name] = kept_reading(context[name], recorded_on.total_samples, self.total_samples)
        return context

    def summary(self: S) -> S:
        """Log dimension, time, batch rows, regions, data and parameters; returns the domain.

        Example:
            >>> import jno
            >>> d = jno.domain.line()
            >>> d.summary() is d
            INFO: domain: 1-D, ...
            True
        """
        data = {name: self.context[name] for name in sorted(self._store.tensor_tags | self._store.data_tags)}
        for text in summary_lines(self._geometry, self.time, self.total_samples, data, self.parameters):
            self.log.info(text)
        return self

    def _request(
        self, tag: Any, spec: SampleSpec, normals: bool, reverse_normals: bool, time_value: Any
    ) -> SampleRecord:
        """A checked request for a point set."""
        if tag not in self._pool_tags():
            raise self._unknown_tag(tag)
        record = SampleRecord(tag, tag, spec, normals, reverse_normals, self._level(tag, time_value))
        if reverse_normals and not normals:
            raise ValueError("reverse_normals=True needs normals=True.")
        if normals and not all(group.geometry.is_boundary(record.region) for group in self._groups):
            raise ValueError(
                f"The tag {tag!r} has no outward normals: it is not a boundary tag. Boundary tags: "
                f"{sorted(name for name in self._pool_tags() if name != INITIAL and self._geometry.is_boundary(name))}."
            )
        return record

    def _level(self, tag: str, time_value: Any) -> float | None:
        """The fixed time level of a request, if it has one."""
        if self._axis is None:
            if time_value is not None:
                raise ValueError(f"time_value={time_value!r} needs a time-dependent domain; give time=(t0, t1, n).")
            return None
        if time_value is not None and not isinstance(time_value, Real):
            raise ValueError(f"time_value must be a number; got {time_value!r}.")
        if tag != INITIAL:
            return None if time_value is None else self._axis.nearest(float(time_value))
        if time_value is not None and time_value != self._axis.start:
            raise ValueError(f"'initial' is fixed at t0={self._axis.start}; got time_value={time_value!r}.")
        return self._axis.start

    def _materialise(self, request: SampleRecord) -> SampleRecord:
        return materialise(self._store, row_geometries(self._groups), self._axis, request)

    def _drawn(self, request: SampleRecord, strategy: Any) -> SampleRecord:
        """A request for points of a shape: with a count, and with the resampling strategy that applies."""
        return drawn_request(request, tuple(group.geometry for group in self._groups), strategy)

    def _resampling_records(self) -> list[SampleRecord]:
        """The point sets that are replaced during training."""
        return [record for record in self._store.records if record.resampling_strategy is not None]

    def _candidates(
        self, record: SampleRecord, row: int, count: int, generator: np.random.Generator, *, on_nodes: bool
    ) -> Drawn:
        """Candidates for the points of one batch row, and their outward normals."""
        return candidate_points(row_geometries(self._groups)[row], record, count, generator, on_nodes=on_nodes)

    def _drawn_candidates(
        self, region: str, record: SampleRecord | None, geometries: list[Geometry]
    ) -> tuple[Float[np.ndarray, "M D"], Float[np.ndarray, "M D"] | None]:
        """Fresh points of every shape: ten times as many as are in use, at least a thousand."""
        sampled = 100 if record is None else self.context[record.tag].shape[2]
        sampler = record.spec.sampler if record is not None and record.drawn else None
        count = max(10 * sampled, 1000)
        drawn = [geometry.draw(region, count, sampler, self._store.stream.next()) for geometry in geometries]
        normals = [directions for _, directions in drawn if directions is not None]
        sign = -1.0 if record is not None and record.reverse_normals else 1.0
        return np.concatenate([points for points, _ in drawn]), sign * np.concatenate(normals) if normals else None

    def _indices(self, record: SampleRecord) -> np.ndarray:
        """Indices into the tag's points, `(N,)`, or `(B, N)` when the batch rows differ."""
        if record.drawn:
            raise ValueError(
                f"return_indices=True: the points of {record.tag!r} were drawn from the shape and are no nodes with "
                "indices; sample all nodes of a mesh, sample=(None, None) after build_mesh, or leave it out."
            )
        drawn = np.stack([indices for _, indices in self._store.rows[record.tag]])
        return drawn[0] if np.all(drawn == drawn[0]) else drawn


def _equal(first: np.ndarray, second: np.ndarray) -> bool:
    return first.dtype == second.dtype and np.array_equal(first, second)


def _with_predicates(geometry: Geometry, other: Regions) -> Geometry:
    """The geometry with the other domain's user-defined regions, where they select anything."""
    for name, where in other._geometry.predicates.items():
        geometry = with_predicate(geometry, name, where)
    return geometry
