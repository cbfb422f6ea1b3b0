"""When training has reached what it was asked for: losses and tracked values below tolerances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jno.utils import is_number


class Until:
    """All tolerances of a call, which hold together.

    Args:
        tolerances: None, one for the total loss, or by label of a constraint or tracker.
        constraints: labels of the constraints.
        trackers: labels of the trackers.

    Raises:
        TypeError: neither a number nor a dictionary.
        ValueError: a tolerance that is not a number, a label that nothing or several things have.
    """

    def __init__(self, tolerances: object, constraints: Sequence[str], trackers: Sequence[str]) -> None:
        self._total: float | None = None
        self._losses: dict[int, float] = {}
        self._tracked: dict[int, float] = {}
        self._newest: dict[int, float] = {}
        if is_number(tolerances):
            self._total = _checked("total_loss", tolerances)
        elif isinstance(tolerances, Mapping) and tolerances:
            for label, tolerance in tolerances.items():
                self._add(label, _checked(label, tolerance), constraints, trackers)
        elif tolerances is not None:
            raise TypeError(
                f"solve(until={tolerances!r}): it must be a number, the total loss at which training ends, or a "
                "dictionary such as {'error': 1e-3} with labels of constraints and trackers"
            )

    def _add(self, label: object, tolerance: float, constraints: Sequence[str], trackers: Sequence[str]) -> None:
        names = ["total_loss", *constraints, *trackers]
        if names.count(str(label)) != 1 or not isinstance(label, str):
            problem = "is the label of several" if label in names else "is no label"
            raise ValueError(
                f"solve(until={{{label!r}: ...}}) {problem} of {', '.join(map(repr, names))}: label what is to be "
                "watched with .name(...)"
            )
        if label == "total_loss":
            self._total = tolerance
        elif label in constraints:
            self._losses[constraints.index(label)] = tolerance
        else:
            self._tracked[trackers.index(label)] = tolerance

    def note(self, values: Mapping[int, Any]) -> None:
        """Take tracked values by number of the tracker.

        Raises:
            ValueError: one with a tolerance that is not a single number.
        """
        for number in self._tracked.keys() & values.keys():
            value = np.asarray(values[number])
            if value.size != 1:
                raise ValueError(
                    f"solve(until=...): a tracked value with a tolerance has shape {value.shape}; reduce it to one "
                    "number, such as .mean or tracker(reduce=...)"
                )
            self._newest[number] = float(value.reshape(()))

    @property
    def reached(self) -> bool:
        """Whether tracked values alone end training, and do so now."""
        return bool(self._tracked) and not self._losses and self._total is None and self._tracked_hold

    def first(self, losses: Float[np.ndarray, "E C"]) -> int | None:
        """The first of some epochs whose losses are all low enough, where those of tracked values hold."""
        if (self._total is None and not self._losses) or not len(losses) or not self._tracked_hold:
            return None
        holds = np.ones(len(losses), dtype=bool)
        if self._total is not None:
            holds &= losses.mean(axis=1) <= self._total
        for number, tolerance in self._losses.items():
            holds &= losses[:, number] <= tolerance
        return int(np.argmax(holds)) if holds.any() else None

    @property
    def _tracked_hold(self) -> bool:
        return all(self._newest.get(number, np.inf) <= tolerance for number, tolerance in self._tracked.items())


def _checked(label: object, tolerance: object) -> float:
    if not is_number(tolerance) or np.isnan(tolerance):
        raise ValueError(f"solve(until=...): the tolerance of {label!r} must be a number, got {tolerance!r}")
    return float(tolerance)
