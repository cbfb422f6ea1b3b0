"""One ``solve`` call, prepared."""

from __future__ import annotations

import dataclasses
from typing import Any

from jno.compiler import Program, check_solvable
from jno.trace import Model

from ._batches import Feed
from ._context import combined
from ._options import Options
from ._points import Points
from ._snapshot import snapshot
from ._state import TrainState
from ._step import Step
from ._trackers import Tracked
from ._types import Data, Modules


@dataclasses.dataclass(frozen=True)
class Plan:
    """One ``solve`` call, prepared: what runs, from which state, and what stays as it is."""

    options: Options
    program: Program
    step: Step
    feed: Feed
    points: Points
    tracked: Tracked
    state: TrainState
    frozen: Modules
    """Modules of the constraints' models without the trained leaves."""
    models: tuple[Model, ...]
    """The models of the constraints, then those that only trackers contain."""
    fixed: Modules
    """Modules of all models without the trained leaves."""
    resumed: bool
    """Whether the state is that of a checkpoint."""

    def tracked_modules(self, state: TrainState) -> Modules:
        """Complete modules for trackers and resampling."""
        return {model.layer_id: model.module for model in self.tracked.models} | self.trained_modules(state)

    def trained_modules(self, state: TrainState) -> Modules:
        """Complete modules of the constraints' models."""
        return combined(self.frozen, state.parameters)

    def check_solvable(self, state: TrainState, data: Data) -> None:
        """Raise the error of a weak problem of the constraints that has no solution in a state, if there is one."""
        check_solvable(self.program.roots, self.trained_modules(state), data)

    def snapshot(self, state: TrainState) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a checkpoint holds, see `snapshot`."""
        return snapshot(state, self.models, self.fixed, self.points.snapshot())
