"""Building an `Embedded` network from what the user says about its coordinates and outputs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax

from jno.trace import Variable, bounds_of, is_normal
from jno.utils import Key, Kind, integer, is_real, number, refusal

from ._coordinate_embedding import CoordinateEmbedding, Numbers, random_frequencies
from ._embedded import Embedded, call_with_key
from ._factorized import factorized

Range: TypeAlias = tuple[float, float] | None
"""Least and largest value of a coordinate; ``None``: it stays as it is."""

_PAIR = "a coordinate of a domain, a pair (low, high) with low < high, or None"
_MEAN, _DEVIATION = 1.0, 0.1
"""Of the logarithms of the scales of a random weight factorisation, as in the paper."""


@dataclasses.dataclass(frozen=True)
class Embedding:
    """The arguments of `jno.nn.embed` between the network and its name; see there."""

    inputs: object
    periodic: object
    harmonics: int
    fourier: int
    scales: object
    factorize: object
    magnitude: object
    offset: object
    samples: object
    key: Key | None

    def module(self, network: object, as_module: Callable[[object], eqx.Module]) -> Embedded:
        """The embedded network.

        Args:
            network: a module, or a function that makes one for a number of inputs.
            as_module: makes an Equinox module of other kinds of modules.
        """
        frequencies_key, factors_key = self._keys()
        coordinates = self._coordinates(frequencies_key)
        built = network(coordinates.size) if _builds(network) else network
        try:
            module = as_module(built)
        except TypeError as error:
            raise TypeError(f"embed(network={type(network).__name__}): {error}") from error
        if factors_key is not None:
            mean, deviation = _factors(self.factorize)
            module = factorized(module, mean, deviation, factors_key)
        magnitude, offset = self._outputs()
        embedded = Embedded(module, coordinates, magnitude, offset)
        _check_call(embedded)
        return embedded

    def _keys(self) -> tuple[Key | None, Key | None]:
        """The keys of the frequencies and of the factors, where they are drawn."""
        draws, factorizes = self.fourier > 0, self.factorize is not False
        if not (draws or factorizes):
            return None, None
        if self.key is None:
            what = "fourier" if draws else "factorize"
            raise ValueError(f"embed({what}=...): random numbers are drawn; give key=jax.random.key(0) or another key")
        first, second = jax.random.split(self.key)
        return first if draws else None, second if factorizes else None

    def _coordinates(self, key: Key | None) -> CoordinateEmbedding:
        ranges = _ranges(self.inputs)
        centers = tuple(0.0 if bounds is None else (bounds[0] + bounds[1]) / 2 for bounds in ranges)
        half_widths = tuple(1.0 if bounds is None else (bounds[1] - bounds[0]) / 2 for bounds in ranges)
        periods = _periods(self.periodic, ranges)
        if self.harmonics != 1 and set(periods) == {None}:
            raise ValueError(
                f"embed(harmonics={self.harmonics}): no coordinate is periodic; give periodic={{column: period}}"
            )
        plain = CoordinateEmbedding(centers, half_widths, periods, self.harmonics)
        scales = _scales(self.scales)
        if key is None:
            if scales != (1.0,):
                raise ValueError(
                    f"embed(scales={self.scales!r}): there are no Fourier features; give fourier=, their number"
                )
            return plain
        shape = (plain.plain_size, self.fourier * len(scales))
        draws = np.asarray(jax.random.normal(key, shape, jnp.float32))
        return dataclasses.replace(plain, frequencies=random_frequencies(self.fourier, scales, draws))

    def _outputs(self) -> tuple[Numbers, Numbers]:
        """Magnitude and offset of the outputs."""
        if self.samples is None:
            magnitude = _numbers(1.0 if self.magnitude is None else self.magnitude, "magnitude", number(above=0.0))
            return magnitude, _numbers(0.0 if self.offset is None else self.offset, "offset", number())
        if self.magnitude is not None or self.offset is not None:
            raise ValueError("embed(samples=...): magnitude and offset are measured of the samples; leave them out")
        return _measured(self.samples)


def _builds(network: object) -> TypeGuard[Callable[[int], object]]:
    """Whether it is a function of the number of inputs, not a module."""
    return callable(network) and type(network).__module__ in _FUNCTIONS


_FUNCTIONS = ("builtins", "functools")
"""Where the types of functions, methods and partial functions are from."""


def _ranges(inputs: object) -> list[Range]:
    """The range of every column of a call."""
    bounds = bounds_of(inputs)
    if bounds is not None:
        return list(bounds)
    if not isinstance(inputs, list | tuple) or not inputs:
        raise TypeError(
            f"embed(inputs={inputs!r}): give a domain, or a list with one entry for every column of the call: {_PAIR}"
        )
    return [bounds for place, entry in enumerate(inputs) for bounds in _ranges_of(entry, place)]


def _ranges_of(entry: object, place: int) -> Sequence[Range]:
    if entry is None:
        return [None]
    if isinstance(entry, Variable):
        return _ranges_of_variable(entry)
    pair = entry if isinstance(entry, list | tuple | np.ndarray) else ()
    if len(pair) != 2 or not all(is_real(value) and math.isfinite(value) for value in pair) or not pair[0] < pair[1]:
        raise ValueError(f"embed(inputs=...): entry {place} is {entry!r}; it must be {_PAIR}")
    return [(float(pair[0]), float(pair[1]))]


def _ranges_of_variable(variable: Variable) -> Sequence[Range]:
    bounds = bounds_of(variable.domain)
    space = 0 if bounds is None else variable.domain.dimension
    columns = (
        range(space, space + 1) if variable.axis == "temporal" else range(variable.dim[0], variable.dim[1] or space)
    )
    regional = variable.axis == "temporal" or (bounds is not None and variable.tag in variable.domain.sampled_tags)
    if bounds is None or is_normal(variable) or not regional or columns.stop > len(bounds):
        raise ValueError(
            f"embed(inputs=...): {variable!r} has no range of its own: it is not a coordinate of a region of a domain, "
            "or the time of a domain without one; give a pair (low, high), or None to leave it as it is"
        )
    return [bounds[column] for column in columns]


def _periods(periodic: object, ranges: Sequence[Range]) -> tuple[float | None, ...]:
    if periodic is None:
        return (None,) * len(ranges)
    last = len(ranges) - 1
    if not isinstance(periodic, Mapping) or not periodic:
        raise TypeError(
            f"embed(periodic={periodic!r}): give a dictionary: column of the call -> period, or None for its range"
        )
    periods: list[float | None] = [None] * len(ranges)
    for column, period in periodic.items():
        integer(0, last).require(column, "embed(periodic)")
        periods[int(column)] = _period(int(column), period, ranges[int(column)])
    return tuple(periods)


def _period(column: int, period: object, bounds: Range) -> float:
    """The period of a column, by default the length of its range."""
    if period is not None:
        if not is_real(period) or period <= 0:
            raise ValueError(refusal(f"embed(periodic={{{column}: ...}})", period, "a positive number, or None"))
        return float(period)
    if bounds is None:
        raise ValueError(f"embed(periodic={{{column}: None}}): column {column} has no range; give its period")
    return bounds[1] - bounds[0]


def _scales(scales: object) -> Numbers:
    entries = _numbers(scales, "scales", number(above=0.0))
    if not entries:
        raise ValueError("embed(scales=[]): give a positive number, or several")
    return entries


def _numbers(value: object, name: str, kind: Kind) -> Numbers:
    """A number, or one for every output."""
    entries: Any = value.tolist() if isinstance(value, np.ndarray | jax.Array) else value
    several = list(entries) if isinstance(entries, list | tuple) else [entries]
    if not several or not all(kind.accepts(entry) for entry in several):
        raise ValueError(refusal(f"embed({name})", value, f"{kind.allowed}, or a list of such numbers"))
    return tuple(float(entry) for entry in several)


def _factors(factorize: object) -> tuple[float, float]:
    if factorize is True:
        return _MEAN, _DEVIATION
    pair = factorize if isinstance(factorize, list | tuple) else ()
    if len(pair) != 2 or not number().accepts(pair[0]) or not number(0.0).accepts(pair[1]):
        raise ValueError(
            f"embed(factorize={factorize!r}): it must be True, False, or mean and deviation of the logarithms of the "
            f"scales, such as ({_MEAN}, {_DEVIATION})"
        )
    return float(pair[0]), float(pair[1])


def _measured(samples: object) -> tuple[Numbers, Numbers]:
    """Standard deviation and mean of every column."""
    try:
        array = np.asarray(samples, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"embed(samples=...): an array of real numbers (N, D) is needed, got {type(samples).__name__}: {error}"
        ) from error
    columns = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(-1, 1)
    deviation, mean = columns.std(axis=0), columns.mean(axis=0)
    if len(columns) < 2 or not np.all(np.isfinite(columns)) or not np.all(deviation > 0):
        raise ValueError(
            f"embed(samples=...): values (N, D) that are finite and differ in every column are needed, got shape "
            f"{array.shape} with deviations {deviation.tolist()}; give magnitude= and offset= instead"
        )
    return tuple(map(float, deviation)), tuple(map(float, mean))


def _check_call(embedded: Embedded) -> None:
    """Call the network once, with shapes only: on two points, or on a single one.

    Raises:
        ValueError: it takes neither, or has another number of outputs than there are magnitudes and offsets.
    """
    size = embedded.embedding.size
    network = type(embedded.network).__name__
    try:
        outputs = _shape_of_outputs(embedded, (2, size))
    except _SHAPE_ERRORS as error:
        try:
            outputs = _shape_of_outputs(embedded, (size,))
        except _SHAPE_ERRORS:
            raise ValueError(
                f"embed(network={network}): it cannot be called with one array (N, {size}), the embedded coordinates: "
                f"{error}. Build it for {size} input(s), or pass the function that does: "
                "lambda size: foundax.mlp(size, ...)"
            ) from error
    width = outputs[-1] if outputs else 1
    for name, numbers in (("magnitude", embedded.magnitude), ("offset", embedded.offset)):
        if len(numbers) not in (1, width):
            raise ValueError(f"embed({name}=...): {len(numbers)} numbers for the {width} output(s) of {network}")


_SHAPE_ERRORS = (TypeError, ValueError, IndexError)
"""What modules raise when the shape of their argument does not suit them."""


def _shape_of_outputs(embedded: Embedded, shape: tuple[int, ...]) -> tuple[int, ...]:
    network = paramax.unwrap(embedded.network)
    inputs = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    outputs = jax.eval_shape(lambda array: call_with_key(network, array, jax.random.PRNGKey(0)), inputs)
    if not isinstance(outputs, jax.ShapeDtypeStruct):
        raise TypeError(f"it returns {type(outputs).__name__}, not one array")
    return outputs.shape
