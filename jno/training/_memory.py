"""What training remembers from one ``solve`` call to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from jno.trace import Model

from ._balancing import Balancing
from ._phases import Phase, copied, initial_states
from ._step import TrainState


@dataclasses.dataclass
class Memory:
    """Random key, epoch, states of balancers and optimizers; the last are forgotten when a model is configured anew."""

    key: Any
    epoch: int = 0
    optimizers: dict[tuple[int, int, str, str], Any] = dataclasses.field(default_factory=dict)
    """(position of the model, version of its configuration, group, phase) → optimizer state."""

    balancers: list[Any] = dataclasses.field(default_factory=list)
    """States of the balancers."""

    def balancer_states(self, balancing: Balancing) -> list[Any]:
        """The remembered states of the balancers, or fresh ones."""
        return copied(self.balancers or balancing.init())

    def optimizer_states(
        self, phases: Sequence[Phase], parameters: dict[int, Any], models: Sequence[Model]
    ) -> list[list[Any]]:
        """The remembered state of every phase and group, or a fresh one.  Copies: the step may reuse their memory."""
        states = initial_states(phases, parameters)
        kept = [
            [self.optimizers.get(key, fresh) for key, fresh in zip(keys, own, strict=True)]
            for keys, own in zip(_keys(phases, models), states, strict=True)
        ]
        return copied(kept)

    def keep(self, phases: Sequence[Phase], state: TrainState, models: Sequence[Model]) -> None:
        """Remember the end of a run."""
        for keys, own in zip(_keys(phases, models), state.optimizers, strict=True):
            self.optimizers.update(zip(keys, own, strict=True))
        self.key, self.epoch, self.balancers = state.key, int(state.epoch), state.balancers

    def for_host(self) -> Memory:
        """A copy with NumPy arrays, for files."""
        return Memory(*jax.device_get((self.key, self.epoch, self.optimizers, self.balancers)))


def _keys(phases: Sequence[Phase], models: Sequence[Model]) -> list[list[tuple[int, int, str, str]]]:
    positions = {model.layer_id: (number, model.version) for number, model in enumerate(models)}
    return [[(*positions[group.layer_id], group.name, phase.name) for group in phase.groups] for phase in phases]
