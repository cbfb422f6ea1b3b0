"""The time of a domain: levels at which all points exist, or an interval in which every point has a time of its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from numbers import Integral, Real
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

_EXPECTED = (
    "time must be (t0, t1, n) with finite t1 > t0 and an integer n >= 2, for n equidistant levels, an increasing array "
    "of levels np.array([t0, ...]), or (t0, t1) for points with times of their own"
)
_SLACK = 1e-9
"""Share of the length by which a time may lie outside."""


@dataclass(frozen=True)
class _Span:
    """From `start` to `stop`."""

    start: float
    stop: float

    def contains(self, value: float | int) -> bool:
        """Whether a value lies in `[start, stop]`, up to rounding."""
        slack = _SLACK * (self.stop - self.start)
        return self.start - slack <= value <= self.stop + slack

    def _inside(self, value: float | int) -> float:
        if not self.contains(value):
            raise ValueError(
                f"time_value={value!r} lies outside the domain's time interval [{self.start}, {self.stop}]."
            )
        return float(value)


@dataclass(frozen=True)
class TimeAxis(_Span):
    """`n` time levels from `start` to `stop`, equidistant unless `uneven` lists them."""

    n: int
    uneven: tuple[float, ...] = ()

    @classmethod
    def from_spec(cls, spec: object) -> Time | None:
        """Check a user's `(t0, t1, n)`, levels or `(t0, t1)`; `None` means a steady domain."""
        if spec is None:
            return None
        if isinstance(spec, np.ndarray):
            return cls._of_levels(spec)
        if not isinstance(spec, (tuple, list)) or len(spec) not in (2, 3):
            raise ValueError(f"{_EXPECTED}; got {spec!r}.")
        start, stop, *levels = spec
        numbers = isinstance(start, Real) and isinstance(stop, Real) and all(isinstance(n, Integral) for n in levels)
        if not numbers or any(isinstance(n, bool) for n in levels):
            raise ValueError(f"{_EXPECTED}; got {spec!r}.")
        if not (isfinite(start) and isfinite(stop) and stop > start and all(n >= 2 for n in levels)):
            raise ValueError(f"{_EXPECTED}; got {spec!r}.")
        if not levels:
            return TimeInterval(float(start), float(stop))
        return cls(float(start), float(stop), int(levels[0]))

    @classmethod
    def _of_levels(cls, levels: np.ndarray) -> TimeAxis:
        is_list = levels.ndim == 1 and len(levels) > 1 and levels.dtype.kind in "fiu"
        if not is_list or not np.all(np.isfinite(levels)) or not np.all(np.diff(levels) > 0):
            raise ValueError(f"{_EXPECTED}; got {levels!r}.")
        values = tuple(levels.astype(np.float64).tolist())
        return cls(values[0], values[-1], len(values), values)

    @property
    def spec(self) -> tuple[float, float, int] | Float[np.ndarray, " T"]:
        """What the axis was made from."""
        return np.array(self.uneven) if self.uneven else (self.start, self.stop, self.n)

    @property
    def levels(self) -> Float[np.ndarray, " T"]:
        """The time levels `(T,)`."""
        return np.array(self.uneven) if self.uneven else np.linspace(self.start, self.stop, self.n)

    def nearest(self, value: float | int) -> float:
        """The stored level nearest to a value inside `[start, stop]`."""
        inside, levels = self._inside(value), self.levels
        return float(levels[np.argmin(np.abs(levels - inside))])

    @staticmethod
    def common(left: Time | None, right: Time | None) -> Time | None:
        """The time of two domains that are merged; a steady domain adopts that of the other domain."""
        if left is not None and right is not None and left != right:
            raise ValueError(
                f"Domains with different time axes cannot be merged: {left.spec} and {right.spec}. "
                "Make both with the same time=; a steady domain takes over the other's."
            )
        return right if left is None else left


@dataclass(frozen=True)
class TimeInterval(_Span):
    """Every point has a time of its own, after `start` and up to `stop`; there are no levels."""

    n = 1

    @property
    def spec(self) -> tuple[float, float]:
        """What the interval was made from."""
        return (self.start, self.stop)

    @property
    def levels(self) -> Float[np.ndarray, " T"]:
        """The time at which points without one of their own exist: the first."""
        return np.array([self.start])

    def nearest(self, value: float | int) -> float:
        """A value inside `[start, stop]`, as it is."""
        return self._inside(value)

    def window(self, tag: str, bounds: tuple[object, ...]) -> TimeInterval:
        """A part of the interval, `time_value=(a, b)`."""
        first, last = bounds if len(bounds) == 2 else (None, None)
        if not isinstance(first, Real) or not isinstance(last, Real) or not -inf < float(first) < float(last) < inf:
            raise ValueError(
                f"time_value= of {tag!r} must be a time, or (a, b) with a < b for times between them; got {bounds!r}."
            )
        return TimeInterval(self._inside(float(first)), self._inside(float(last)))


Time: TypeAlias = TimeAxis | TimeInterval
