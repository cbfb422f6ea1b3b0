"""Expressions evaluated where a picture shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from jno.compiler import check_own_domain, models_with_draws, placed_points
from jno.domain import domain as Domain
from jno.domain.geometry import Geometry
from jno.symbolic import concat
from jno.trace import Placeholder, TensorTag, Variable, free_variables, is_normal, point_tag, walk

from ._labels import label_of
from ._options import PlotOptions
from ._places import Places, places_of, scattered
from ._values import PlottedValues

Evaluate = Callable[[Placeholder, Any], Any]
"""From an expression and where it is evaluated (as in `core.eval`) to its value at all time levels."""

BAND = (0.025, 0.975)
_TIMES = {1: 101, 2: 4, 3: 1}
"""Times that are shown, by the number of coordinates of space."""
_FRAMES = 41
_SLACK = 1e-9
_FEW_SAMPLES = 8
_AXES = ("x", "y", "z")
_WITH_TIMES = 4
"""Axes of data that has a value for every time: samples, times, points, components."""


@dataclasses.dataclass(frozen=True, eq=False)
class PictureSite:
    """Where all expressions of a picture are evaluated.

    Attributes:
        home: the domain of their variables.
        request: what the user passed as domain.
        constraints: those of the core.
    """

    home: Domain
    request: Any
    constraints: Sequence[Any]

    @property
    def domain(self) -> Domain:
        """The domain whose geometry is shown."""
        return self.request if isinstance(self.request, Domain) else self.home

    def geometry(self, sample: int) -> Geometry:
        """The geometry of a row of the batch."""
        rows = self.domain.batch.by_row
        if sample >= len(rows):
            raise ValueError(
                f"plot(sample={sample}): the domain has {len(rows)} samples, counted from 0; domain=... draws another"
            )
        return rows[sample]


def evaluated(
    nodes: list[Placeholder], roles: list[str], site: PictureSite, evaluate: Evaluate, options: PlotOptions
) -> list[PlottedValues]:
    """The values of every expression; complex ones are two.

    Raises:
        ValueError: an expression without points or times to draw over; samples or times that there are not.
    """
    if site.request is None:
        check_own_domain(nodes, site.constraints, site.home, "plot()")
    results: list[PlottedValues] = []
    tags = list(dict.fromkeys(tag for node in nodes for tag in _tags_of(free_variables(node))))
    for position, node in enumerate(nodes):
        one = _Evaluation(node, label_of(node, position), site, evaluate, options, tags)
        values = dataclasses.replace(one.values(), role=roles[position])
        results.extend(_real_parts(values) if np.iscomplexobj(values.values) else [values])
    return results


def _real_parts(values: PlottedValues) -> list[PlottedValues]:
    band = values.band
    return [
        dataclasses.replace(
            values,
            label=f"{name} {values.label}",
            values=part(values.values),
            band=None if band is None else part(band),
        )
        for name, part in (("Re", np.real), ("Im", np.imag))
    ]


class _Evaluation:
    """The evaluation of one expression."""

    def __init__(
        self,
        node: Placeholder,
        label: str,
        site: PictureSite,
        evaluate: Evaluate,
        options: PlotOptions,
        tags: list[str],
    ) -> None:
        self._node, self._label, self._site = node, label, site
        self._evaluate, self._options = evaluate, options
        self._has_draws = bool(models_with_draws([node]))
        variables = free_variables(node)
        space = [variable for variable in variables if variable.axis == "spatial"]
        self._tags = _tags_of(variables)
        # data alone belongs to the points of the expressions that it is drawn with
        self._is_data = not variables and any(isinstance(leaf, TensorTag) for leaf in walk([node]))
        if self._is_data and len(tags) == 1:
            self._tags = tags
        self._names = _axis_names(space)
        self._has_normals = any(is_normal(variable) for variable in space)
        moving = [v for v in variables if v.axis == "temporal" and (v.at_points or self._levels(v) > 1)]
        self._moves = bool(moving)
        self._own_times = any(site.home.has_times(tag) for tag in self._tags)
        if len(self._tags) > 1 or not (self._tags or moving):
            listed = ", ".join(map(repr, self._tags)) or "no points"
            raise ValueError(
                f"plot(): {label} depends on {listed}; what is drawn is an expression over the points of one tag, or "
                "over time. A number is core.eval(expression)"
            )

    def _levels(self, variable: Variable) -> int:
        return len(self._site.home.context.get(variable.tag, ()))

    def values(self) -> PlottedValues:
        """The values of the expression."""
        if not self._tags:
            return self._over_time()
        if self._is_data:
            return self._at_samples(self._site.geometry(self._options.sample))
        request = self._site.request
        geometry = self._site.geometry(self._options.sample)
        if request is None or isinstance(request, Domain):
            smooth = self._site.domain.total_samples <= _FEW_SAMPLES  # all rows of the batch are computed
            places, times = places_of(geometry, self._tags[0], smooth=smooth), None
        else:
            if self._moves and self._options.times is not None and not isinstance(request, tuple):
                request = (request, self._options.times)
            placed = placed_points(request, [self._node], self._site.home, None)
            assert placed is not None, "a request that is no domain has points"
            places, times = scattered(placed.points), placed.times
            if self._own_times:
                return self._result(self._value(placed.points), places, None)
        if times is None:
            times = self._times(places.dimension)
        if self._own_times and self._can_be_placed(_with_times(places.points, np.zeros(1))):
            shown = self._domain_start() if times is None else times
            value = self._value(_with_times(places.points, shown))
            levels = (len(shown),) if len(shown) > 1 else ()
            lead, entries = value.shape[:-2], value.shape[-1]
            return self._result(value.reshape(*lead, *levels, len(places.points), entries), places, times)
        target = places.points if times is None else (places.points, times)
        if self._can_be_placed(target):
            return self._result(self._value(target), places, times)
        return self._at_samples(geometry)

    def _times(self, dimension: int) -> Float[np.ndarray, " T"] | None:
        if not self._moves:
            return None
        if self._options.times is not None:
            return self._options.times
        axis = self._site.domain.time_axis
        if axis is None:
            raise ValueError(f"plot(): {self._label} depends on time, and the domain has none: name times=[...]")
        count = _FRAMES if self._options.is_animation else _TIMES.get(dimension, 1)
        return np.linspace(axis.start, axis.stop, count) if count > 1 else np.array([axis.stop])

    def _can_be_placed(self, target: Any) -> bool:
        """Whether the expression has a value at any points; data of the domain that is drawn belongs to its own."""
        if isinstance(self._site.request, Domain) and any(isinstance(node, TensorTag) for node in walk([self._node])):
            return False
        try:
            placed_points(target, [self._node], self._site.home, None)
        except ValueError:
            return False
        return True

    def _value(self, target: Any) -> Shaped[np.ndarray, "*L N C"]:
        return np.asarray(self._evaluate(concat([self._node]), target))

    def _at_samples(self, geometry: Geometry) -> PlottedValues:
        """At the sampled points: integrals, stencils, normals and data belong to them."""
        site, row = self._site, self._options.sample
        request = site.request
        context = site.home.context if request is None else site.domain.context_for(site.home)
        array = np.asarray(context[self._tags[0]])
        points = np.asarray(array[min(row, len(array) - 1), 0], np.float64)
        value = self._value(request)
        is_volume = not self._has_normals and not (geometry.has(self._tags[0]) and geometry.is_boundary(self._tags[0]))
        places = scattered(points, geometry) if is_volume else Places(points)
        if places.dimension == 1:
            value = value[..., np.argsort(points[:, 0]), :]
        has_levels = self._moves or (self._is_data and value.ndim == _WITH_TIMES)
        return self._result(value, places, self._domain_levels() if has_levels else None)

    def _domain_levels(self) -> Float[np.ndarray, " T"]:
        axis = self._site.domain.time_axis
        assert axis is not None, "an expression of time lives on a domain with time"
        return np.asarray(axis.levels, np.float64)

    def _domain_start(self) -> Float[np.ndarray, " T"]:
        return self._domain_levels()[:1]

    def _over_time(self) -> PlottedValues:
        value, levels = self._value(self._site.request), self._domain_levels()
        return self._result(value, None, levels)

    def _result(
        self, value: Shaped[np.ndarray, "*L N C"], places: Places | None, times: Float[np.ndarray, " T"] | None
    ) -> PlottedValues:
        """Row of the batch, mean and band of the draws, and the times that are shown."""
        count = 1 if places is None else len(places.points)
        if count > 1 and count in value.shape[:-2]:
            raise ValueError(
                f"plot(): {self._label} has a matrix at every point; draw some of its entries, such as u[..., 0, 1]"
            )
        if value.shape[-2] != count:
            raise ValueError(
                f"plot(): {self._label} is one number for each sample; what is drawn is an expression over the points "
                "of one tag, or over time. A number is core.eval(expression)"
            )
        levels = 1 if times is None else len(times)
        # times, draws, samples, points, components
        value = np.moveaxis(value, -3, 0) if levels > 1 else value[None]
        rows = value.shape[-3]
        if self._options.sample >= rows > 1:
            raise ValueError(f"plot(sample={self._options.sample}): {self._label} has {rows} samples, counted from 0")
        value = value[..., min(self._options.sample, rows - 1), :, :]
        band = None
        if self._has_draws:
            value = value.reshape(levels, -1, *value.shape[-2:])
            band = _band(value)
            value = value.mean(axis=1)
        positions = self._positions(times, 0 if places is None else places.dimension)
        if positions is not None and times is not None:
            value, times = value[positions], times[positions]
            band = None if band is None else band[:, positions]
        return PlottedValues(self._label, places, times, value, band, names=self._names)

    def _positions(self, times: Float[np.ndarray, " T"] | None, dimension: int) -> Int[np.ndarray, " K"] | None:
        """Positions of the levels that are nearest to the times to be shown; None for all."""
        requested = self._options.times
        if times is None or (requested is not None and np.array_equal(requested, times)):
            return None
        if requested is None:
            count = _TIMES.get(dimension, 1)
            is_shown = dimension < 2 or self._options.is_animation or len(times) <= count
            return None if is_shown else np.linspace(0, len(times) - 1, count).round().astype(int)
        if requested.min() < times.min() - _SLACK or requested.max() > times.max() + _SLACK:
            raise ValueError(
                f"plot(times={requested.tolist()}): {self._label} is known at the time levels of its domain only, from "
                f"{times.min():g} to {times.max():g}"
            )
        return np.abs(times[:, None] - requested).argmin(axis=0)


def _with_times(points: Float[np.ndarray, "N D"], times: Float[np.ndarray, " T"]) -> Float[np.ndarray, "M _"]:
    """All points at every time, the time as their last column."""
    return np.column_stack([np.tile(points, (len(times), 1)), np.repeat(times, len(points))])


def _band(draws: Shaped[np.ndarray, "T K N C"]) -> Shaped[np.ndarray, "2 T N C"]:
    if draws.dtype.kind == "c":
        return _band(draws.real) + 1j * _band(draws.imag)
    return np.quantile(draws, BAND, axis=1)


def _tags_of(variables: Sequence[Variable]) -> list[str]:
    """The tags whose points variables are coordinates of."""
    return list(dict.fromkeys(point_tag(variable) for variable in variables if variable.at_points))


def _axis_names(variables: Sequence[Variable]) -> tuple[str, ...]:
    """What the axes are called: x, y and z, unless a coordinate was given a name."""
    names = list(_AXES)
    for variable in variables:
        if variable.metadata.label and not is_normal(variable) and variable.dim[0] < len(names):
            names[variable.dim[0]] = variable.metadata.label
    return tuple(names)
