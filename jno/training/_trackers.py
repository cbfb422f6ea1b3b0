"""Expressions recorded during training, each at its own interval and on the full data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from jno.compiler import Program
from jno.trace import Tracker


class Tracked:
    """The trackers of a core, compiled into one program each."""

    def __init__(self, trackers: Sequence[Tracker], programs: Sequence[Program], names: Sequence[str]) -> None:
        self._trackers = list(trackers)
        self._names = list(names)
        self._functions = [eqx.filter_jit(program) for program in programs]
        self._data = [program.data for program in programs]

    def next_after(self, epoch: int) -> int | None:
        """Epochs from ``epoch`` to the next record strictly later."""
        return min((tracker.interval - epoch % tracker.interval for tracker in self._trackers), default=None)

    def record(self, epoch: int, modules: dict[int, Any], key: Any, recorder: Any) -> None:
        """Evaluate what is due at ``epoch``."""
        for tracker, name, function, data in zip(self._trackers, self._names, self._functions, self._data, strict=True):
            if epoch % tracker.interval:
                continue
            value = np.asarray(jax.device_get(function(modules, data, key)[0]))
            value = value[0] if value.ndim and value.shape[0] == 1 else value
            recorder.track(name, epoch, value if tracker.reduce is None else tracker.reduce(value))
