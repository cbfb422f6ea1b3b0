"""Expressions recorded during training, each at its own interval and on the full data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jno.compiler import OverModules, Program
from jno.trace import Tracker

from ._devices import Devices
from ._recorder import Recorder
from ._types import Data, Key, Modules


class Tracked:
    """The trackers of a core, compiled into one program each."""

    def __init__(
        self, trackers: Sequence[Tracker], programs: Sequence[Program], names: Sequence[str], devices: Devices
    ) -> None:
        self._devices = devices
        self._trackers = list(trackers)
        self._names = list(names)
        self._functions = [OverModules(program) for program in programs]
        self.programs = list(programs)
        self.models = list(dict.fromkeys(model for program in programs for model in program.models))

    def next_after(self, epoch: int) -> int | None:
        """Epochs from ``epoch`` to the next record strictly later."""
        return min((tracker.interval - epoch % tracker.interval for tracker in self._trackers), default=None)

    def due(self, epoch: int) -> bool:
        """Whether anything is recorded at ``epoch``."""
        return any(epoch % tracker.interval == 0 for tracker in self._trackers)

    def record(
        self, epoch: int, modules_of: Callable[[], Modules], weights: Data, key: Key | np.ndarray, recorder: Recorder
    ) -> dict[int, Any]:
        """Evaluate what is due at ``epoch``, with the weights of balanced losses as they are.

        Returns:
            the values by number of the tracker.
        """
        due = [number for number, tracker in enumerate(self._trackers) if epoch % tracker.interval == 0]
        modules, values = modules_of() if due else {}, {}
        for number in due:
            program, function, reduce = self.programs[number], self._functions[number], self._trackers[number].reduce
            of_program = {model.layer_id: modules[model.layer_id] for model in program.models}
            data = self._devices.place_data({**program.data, **weights}, ())
            value = np.asarray(jax.device_get(function(self._devices.on_all(of_program), data, key)[0]))
            value = value[0] if value.ndim and value.shape[0] == 1 else value
            values[number] = value if reduce is None else reduce(value)
            recorder.track(number, self._names[number], epoch, values[number])
        return values
