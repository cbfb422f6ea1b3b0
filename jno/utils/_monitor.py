"""A quantity that callbacks watch while it gets better: the total loss, a constraint's, or a tracked value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jno.utils._checks import is_number, quoted, refusal

MODES = ("min", "max", "rel")
TOTAL = "total_loss"


class Monitor:
    """What is watched, and what counts as better.

    Args:
        owner: the callback, for messages.
        name: ``"total_loss"``, or the label of a constraint or tracker.
        mode: ``"min"``, ``"max"`` or ``"rel"``: an improvement on ``b`` is a value below ``b - min_delta``, above
            ``b + min_delta``, or below ``b - min_delta * abs(b)``.
        min_delta: least improvement, of at least 0.

    Raises:
        ValueError: an unknown mode, a negative ``min_delta``.
    """

    def __init__(self, owner: str, name: str = TOTAL, mode: str = "min", min_delta: float | int = 0.0) -> None:
        if not isinstance(mode, str) or mode not in MODES:
            raise ValueError(refusal(f"{owner}(mode)", mode, f"one of {quoted(MODES)}"))
        if not is_number(min_delta) or min_delta < 0.0:
            raise ValueError(refusal(f"{owner}(min_delta)", min_delta, "at least 0"))
        self.owner, self.name, self.mode, self.min_delta = owner, name, mode, float(min_delta)

    def check(self, begin: Mapping[str, Any]) -> None:
        """Refuse a name that is not there once, given the keywords of `Callback.on_solve_begin`.

        Raises:
            ValueError: naming the choices.
        """
        names = [TOTAL, *begin["constraint_names"], *begin["tracker_names"]]
        if names.count(self.name) != 1:
            problem = "is the label of several" if self.name in names else "is no label"
            raise ValueError(
                f"{self.owner}(monitor={self.name!r}) {problem} of {', '.join(map(repr, names))}: label what is to be "
                "watched with .name(...)"
            )
        self._place = begin["constraint_names"].index(self.name) if self.name in begin["constraint_names"] else None

    def value(self, end: Mapping[str, Any]) -> float | None:
        """The value from the keywords of `Callback.on_epoch_end`; None for a tracker that was not evaluated.

        Raises:
            ValueError: a tracked value that is not a number.
        """
        if self.name == TOTAL:
            return float(end["total_loss"])
        if self._place is not None:
            return float(end["individual_losses"][self._place])
        if self.name not in end["tracked"]:
            return None
        value = np.asarray(end["tracked"][self.name])
        if value.size != 1:
            raise ValueError(
                f"{self.owner}(monitor={self.name!r}): the tracked value has shape {value.shape}; reduce it to one "
                "number, such as .mean or tracker(reduce=...)"
            )
        return float(value.reshape(()))

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best; the first is, NaN never."""
        if math.isnan(value) or best is None:
            return not math.isnan(value)
        if self.mode == "max":
            return value > best + self.min_delta
        return value < best - self.min_delta * (abs(best) if self.mode == "rel" else 1.0)
