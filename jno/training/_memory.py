"""What training remembers from one ``solve`` call to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from jno.trace import Model

from ._groups import OptimizerGroup
from ._step import TrainState


@dataclasses.dataclass
class Memory:
    """Random key, epoch and optimizer states; a state is forgotten when its model is configured anew."""

    key: Any
    epoch: int = 0
    optimizers: dict[tuple[int, int, str], Any] = dataclasses.field(default_factory=dict)
    """(position of the model, version of its configuration, group) → optimizer state."""

    def optimizer_states(
        self, groups: Sequence[OptimizerGroup], parameters: dict[int, Any], models: Sequence[Model]
    ) -> list[Any]:
        """The remembered state of every group, or a fresh one.  Copies: the step may reuse their memory."""
        states = []
        for group, key in zip(groups, _keys(groups, models), strict=True):
            kept = self.optimizers.get(key)
            fresh = group.transform.init(group.pick(parameters)) if kept is None else kept
            states.append(jax.tree_util.tree_map(lambda leaf: jax.numpy.array(leaf), fresh))
        return states

    def keep(self, groups: Sequence[OptimizerGroup], state: TrainState, models: Sequence[Model]) -> None:
        """Remember the end of a run."""
        self.optimizers.update(zip(_keys(groups, models), state.optimizers, strict=True))
        self.key, self.epoch = state.key, int(state.epoch)

    def for_host(self) -> Memory:
        """A copy with NumPy arrays, for files."""
        return Memory(*jax.device_get((self.key, self.epoch, self.optimizers)))


def _keys(groups: Sequence[OptimizerGroup], models: Sequence[Model]) -> list[tuple[int, int, str]]:
    positions = {model.layer_id: (number, model.version) for number, model in enumerate(models)}
    return [(*positions[group.layer_id], group.name) for group in groups]
