"""The steps of a problem in time: where they end, which of their ends are saved, and by which rule they go."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from ._vectors import real_numbers

_TOLERANCE = 1e-9
"""Part of the whole time within which two times are one."""


@dataclasses.dataclass(frozen=True, eq=False)
class TimeSteps:
    """Ends of steps.

    Attributes:
        times: ends of all steps, the start included.
        saved: positions among them that are returned.
    """

    times: Float[np.ndarray, " T"]
    saved: tuple[int, ...]

    @classmethod
    def of(cls, start: float, stop: float, levels: int, save_ts: object) -> TimeSteps:
        """Steps between equally many levels, which end at the times that are saved too (None: the levels are saved).

        Raises:
            ValueError: times that are none, or outside the interval.
        """
        times = np.linspace(start, stop, levels)
        if save_ts is None:
            return cls(times, tuple(range(levels)))
        numbers = real_numbers(save_ts)
        saved = np.zeros(0) if numbers is None else numbers.reshape(-1)
        if not len(saved) or not np.all((saved >= start - 1e-9) & (saved <= stop + 1e-9)):
            raise ValueError(f"FEM.solve(save_ts=...): times between {start} and {stop} are needed; got {save_ts!r}")
        extra = [t for t in saved if np.min(np.abs(times - t)) > _TOLERANCE * (stop - start)]
        times = np.sort(np.concatenate([times, np.unique(extra)]))
        return cls(times, tuple(int(np.argmin(np.abs(times - t))) for t in saved))


def checked_theta(theta: float | int | None, time_order: int) -> float:
    """The share of the new value in a step; see `Trajectory`.

    Raises:
        ValueError: a rule that is not stable, or that problems of second order do not have.
    """
    default = 0.5 if time_order == 2 else 1.0
    share = default if theta is None else float(theta)
    if time_order == 2 and share != default:
        raise ValueError(f"FEM.solve(theta={share}): problems of second order in time are solved with theta=0.5")
    if not 0.5 <= share <= 1.0:
        raise ValueError(f"FEM.solve(theta={share!r}): allowed is 0.5 (implicit midpoint) to 1.0 (backward Euler)")
    return share
