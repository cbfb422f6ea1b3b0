"""The time axis of a domain."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real

import numpy as np
from jaxtyping import Float

_EXPECTED = "time must be (t0, t1, n) with finite t1 > t0 and an integer n >= 2"


@dataclass(frozen=True)
class TimeAxis:
    """`n` equidistant time levels from `start` to `stop`."""

    start: float
    stop: float
    n: int

    @classmethod
    def from_spec(cls, spec: object) -> TimeAxis | None:
        """Check a user's `(t0, t1, n)`; `None` means a steady domain."""
        if spec is None:
            return None
        if not isinstance(spec, (tuple, list)) or len(spec) != 3:
            raise ValueError(f"{_EXPECTED}; got {spec!r}.")
        start, stop, n = spec
        numbers = isinstance(start, Real) and isinstance(stop, Real) and isinstance(n, Integral)
        if not numbers or isinstance(n, bool):
            raise ValueError(f"{_EXPECTED}; got {spec!r}.")
        if not (isfinite(start) and isfinite(stop) and stop > start and n >= 2):
            raise ValueError(f"{_EXPECTED}; got {spec!r}.")
        return cls(float(start), float(stop), int(n))

    @property
    def spec(self) -> tuple[float, float, int]:
        """The tuple the axis was made from."""
        return (self.start, self.stop, self.n)

    @property
    def levels(self) -> Float[np.ndarray, " T"]:
        """The time levels `(T,)`."""
        return np.linspace(self.start, self.stop, self.n)

    def contains(self, value: float | int) -> bool:
        """Whether a value lies in `[start, stop]`, up to rounding."""
        slack = 1e-9 * (self.stop - self.start)
        return self.start - slack <= value <= self.stop + slack

    def nearest(self, value: float | int) -> float:
        """The stored level nearest to a value inside `[start, stop]`."""
        if not self.contains(value):
            raise ValueError(
                f"time_value={value!r} lies outside the domain's time interval [{self.start}, {self.stop}]."
            )
        levels = self.levels
        return float(levels[np.argmin(np.abs(levels - value))])

    @classmethod
    def common(cls, left: TimeAxis | None, right: TimeAxis | None) -> TimeAxis | None:
        """The time axis of two domains that are merged; a steady domain adopts the one of the other domain."""
        if left is not None and right is not None and left != right:
            raise ValueError(
                f"Domains with different time axes cannot be merged: {left.spec} and {right.spec}. "
                "Make both with the same time=(t0, t1, n); a steady domain takes over the other's."
            )
        return right if left is None else left
