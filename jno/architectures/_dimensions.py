"""The dimensions of a search space: options, ranges of numbers and of integers."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any, final

import numpy as np

from ._labels import Label, is_plain, is_same, plain_label

GRID_POINTS = 5
"""Points of a range of floats, or of a logarithmic range of integers, in a grid."""


@dataclasses.dataclass(frozen=True)
class Dimension(abc.ABC):
    """One name of a search space with the values it can take."""

    name: str
    category: str

    @property
    @abc.abstractmethod
    def default(self) -> Any:
        """The value before a search: the first option, the lower end."""

    @abc.abstractmethod
    def grid(self) -> list[Any]:
        """The values of an exhaustive search."""

    @abc.abstractmethod
    def draw(self, random: np.random.Generator) -> Any:
        """A random value."""

    @abc.abstractmethod
    def accepts(self, value: object) -> bool:
        """Whether the dimension can take this value."""

    @abc.abstractmethod
    def parametrization(self) -> Any:
        """The Nevergrad parameter."""

    @abc.abstractmethod
    def decode(self, value: float | int) -> Any:
        """The value of what the Nevergrad parameter says."""

    @abc.abstractmethod
    def label(self, value: object) -> Label:
        """A value as plain JSON: number, string or boolean."""

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """The dimension as plain JSON."""

    @abc.abstractmethod
    def same(self, dimension: Dimension) -> bool:
        """Whether another dimension of this name has the same values."""


@final
@dataclasses.dataclass(frozen=True)
class ChoiceOfOptions(Dimension):
    """One of several things of any kind."""

    options: tuple[Any, ...]

    @property
    def default(self) -> Any:
        """The first option."""
        return self.options[0]

    def grid(self) -> list[Any]:
        """All options."""
        return list(self.options)

    def draw(self, random: np.random.Generator) -> Any:
        """Every option is as likely."""
        return self.options[int(random.integers(len(self.options)))]

    def accepts(self, value: object) -> bool:
        """Whether it is an option."""
        return any(is_same(value, option) for option in self.options)

    def parametrization(self) -> Any:
        """A choice between positions, so that options may be anything."""
        return nevergrad().p.Choice(list(range(len(self.options))))

    def decode(self, value: float | int) -> Any:
        """The option at a position."""
        return self.options[int(value)]

    def label(self, value: object) -> Label:
        """The option itself where it is plain, else its name; options of one name are numbered."""
        position = next((i for i, option in enumerate(self.options) if option is value), None)
        if position is None:
            position = next(i for i, option in enumerate(self.options) if is_same(option, value))
        return self._labels[position]

    def describe(self) -> dict[str, Any]:
        """The labels of the options."""
        return {"options": self._labels}

    def same(self, dimension: Dimension) -> bool:
        """Whether the options are the same ones in the same order."""
        if not isinstance(dimension, ChoiceOfOptions) or len(dimension.options) != len(self.options):
            return False
        return all(is_same(a, b) for a, b in zip(self.options, dimension.options, strict=True))

    @property
    def _labels(self) -> list[Label]:
        names = [plain_label(option) for option in self.options]
        return [
            f"{name}[{position}]" if names.count(name) > 1 and not is_plain(option) else name
            for position, (name, option) in enumerate(zip(names, self.options, strict=True))
        ]


@dataclasses.dataclass(frozen=True)
class Range(Dimension):
    """Numbers from ``low`` to ``high``, both included."""

    low: float | int
    high: float | int
    log_scale: bool

    @property
    def default(self) -> Any:
        """The lower end."""
        return self.decode(self.low)

    def label(self, value: Any) -> Label:
        """The number."""
        return self.decode(value)

    def describe(self) -> dict[str, Any]:
        """Ends, scale and type."""
        kind = type(self.decode(self.low)).__name__
        ends = [self.decode(self.low), self.decode(self.high)]
        return {"range": ends, "scale": "log" if self.log_scale else "linear", "type": kind}

    def same(self, dimension: Dimension) -> bool:
        """Whether type, ends and scale are the same."""
        return type(dimension) is type(self) and dimension.describe() == self.describe()

    def accepts(self, value: object) -> bool:
        """Whether it is a number between the ends."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def _spread(self) -> np.ndarray:
        spaced = np.geomspace if self.log_scale else np.linspace
        return spaced(self.low, self.high, GRID_POINTS)

    def _between(self, random: np.random.Generator, low: float | int, high: float | int) -> float:
        if self.log_scale:
            return math.exp(random.uniform(math.log(low), math.log(high)))
        return random.uniform(low, high)


@final
@dataclasses.dataclass(frozen=True)
class FloatRange(Range):
    """Numbers of an interval."""

    def grid(self) -> list[float]:
        """`GRID_POINTS` of them, evenly spaced on the scale."""
        return [float(value) for value in self._spread()]

    def draw(self, random: np.random.Generator) -> float:
        """Uniform on the scale."""
        return min(max(self._between(random, self.low, self.high), self.low), self.high)

    def parametrization(self) -> Any:
        """A bounded scalar."""
        kind = nevergrad().p.Log if self.log_scale else nevergrad().p.Scalar
        return kind(lower=self.low, upper=self.high)

    def decode(self, value: float | int) -> float:
        """The number as a float, inside the ends."""
        return min(max(float(value), self.low), self.high)


@final
@dataclasses.dataclass(frozen=True)
class IntRange(Range):
    """Integers of an interval."""

    def grid(self) -> list[int]:
        """All of them; on a logarithmic scale `GRID_POINTS`, rounded."""
        if self.log_scale:
            return sorted({int(value) for value in np.rint(self._spread())})
        return list(range(int(self.low), int(self.high) + 1))

    def draw(self, random: np.random.Generator) -> int:
        """Uniform; on a logarithmic scale, uniform on it and rounded."""
        if self.log_scale:
            return self.decode(self._between(random, self.low, self.high))
        return int(random.integers(int(self.low), int(self.high) + 1))

    def accepts(self, value: object) -> bool:
        """Whether it is an integer between the ends."""
        return isinstance(value, int) and super().accepts(value)

    def parametrization(self) -> Any:
        """A bounded scalar of integers; a logarithmic one is rounded when it is decoded."""
        if self.log_scale:
            return nevergrad().p.Log(lower=self.low, upper=self.high)
        return nevergrad().p.Scalar(lower=self.low, upper=self.high).set_integer_casting()

    def decode(self, value: float | int) -> int:
        """The nearest integer inside the ends."""
        return min(max(round(float(value)), int(self.low)), int(self.high))


def nevergrad() -> Any:
    """Nevergrad, or an error that says how to install it."""
    try:
        import nevergrad as library
    except ImportError as error:
        raise ImportError(
            "this search needs Nevergrad: pip install 'jno-jax[tune]' (a grid, optimizer=None, needs nothing)"
        ) from error
    return library
