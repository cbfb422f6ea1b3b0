"""What training remembers from one ``solve`` call to the next."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TypeAlias

import jax
from jaxtyping import PyTree

from jno.trace import Model

from ._balancing import BalancerState, Balancing
from ._parameter_block import ParameterBlock
from ._phases import Phase, initial_states, on_device
from ._state import TrainState
from ._types import Carried, Leaves

BlockKey: TypeAlias = tuple[tuple[tuple[int, int], ...], str, str]
"""(positions and versions of the models, parameter block, phase)"""


@dataclasses.dataclass
class Memory:
    """Random key, epoch, states of balancers, optimizers and chains; the last two are forgotten when a model is
    configured anew."""

    key: Carried
    epoch: int = 0
    optimizers: dict[tuple[int, int, str, str], PyTree] = dataclasses.field(default_factory=dict)
    """(position of the model, version of its configuration, group, phase) → optimizer state."""

    balancers: list[BalancerState] = dataclasses.field(default_factory=list)

    chains: dict[BlockKey, PyTree] = dataclasses.field(default_factory=dict)

    def balancer_states(self, balancing: Balancing) -> list[BalancerState]:
        """The remembered states of the balancers, or fresh ones."""
        return on_device(self.balancers or balancing.init())

    def optimizer_states(
        self, phases: Sequence[Phase], parameters: Leaves, models: Sequence[Model]
    ) -> list[list[PyTree]]:
        """The remembered state of every phase and group, or a fresh one."""
        keys = _keys(phases, models)
        remembered = self.optimizers
        if not all(key in remembered for of_phase in keys for key in of_phase):
            states = initial_states(phases, parameters)
            fresh = {key: state for pair in zip(keys, states, strict=True) for key, state in zip(*pair, strict=True)}
            remembered = fresh | remembered
        return on_device([[remembered[key] for key in of_phase] for of_phase in keys])

    def chain_states(
        self, phases: Sequence[Phase], empty: Callable[[Phase, ParameterBlock], PyTree], models: Sequence[Model]
    ) -> list[list[PyTree]]:
        """The remembered chains of every phase and block, or those that ``empty`` makes."""
        states = [
            [
                self._remembered(key, block, functools.partial(empty, phase, block))
                for key, block in zip(keys, phase.blocks, strict=True)
            ]
            for phase, keys in zip(phases, _block_keys(phases, models), strict=True)
        ]
        return on_device(states)

    def _remembered(self, key: BlockKey, block: ParameterBlock, empty: Callable[[], PyTree]) -> PyTree:
        if key not in self.chains:
            return empty()
        state = self.chains[key]
        if block.fits(state):
            return state
        # read from a file: the models have new ids, in the order of the old ones
        return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(empty()), jax.tree_util.tree_leaves(state))

    def remember(self, phases: Sequence[Phase], state: TrainState, models: Sequence[Model]) -> None:
        """Remember the end of a run."""
        for keys, states in zip(_keys(phases, models), state.optimizers, strict=True):
            self.optimizers.update(zip(keys, states, strict=True))
        # only the newest: draws are large
        self.chains = {
            key: chains
            for keys, states in zip(_block_keys(phases, models), state.chains, strict=True)
            for key, chains in zip(keys, states, strict=True)
        }
        self.key, self.epoch, self.balancers = state.key, int(state.epoch), state.balancers

    def for_host(self) -> Memory:
        """A copy with NumPy arrays, for files."""
        return Memory(*jax.device_get((self.key, self.epoch, self.optimizers, self.balancers, self.chains)))


def _keys(phases: Sequence[Phase], models: Sequence[Model]) -> list[list[tuple[int, int, str, str]]]:
    positions = _positions(models)
    return [[(*positions[group.layer_id], group.name, phase.name) for group in phase.groups] for phase in phases]


def _block_keys(phases: Sequence[Phase], models: Sequence[Model]) -> list[list[BlockKey]]:
    positions = _positions(models)
    return [
        [(tuple(positions[i] for i in block.selected), block.name, phase.name) for block in phase.blocks]
        for phase in phases
    ]


def _positions(models: Sequence[Model]) -> dict[int, tuple[int, int]]:
    return {model.layer_id: (number, model.version) for number, model in enumerate(models)}
