"""The sampled leaves of a problem: how their chains start, and one transition of all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.trace import Initialization
from jno.utils import get_logger

from ._chains import Block, ChainState, Leaves, Loss, MarkovBlock, everyone, first_chain, joined, repeated
from ._objective import modules
from ._phases import Phase
from ._state import TrainState

_CHAIN_STREAM = 0xC4A1
"""Random stream of chains, apart from those of mini-batches, noise and dropout."""


class Sampling:
    """What a step does with sampled leaves.

    Args:
        phases: of an epoch.
        whole: the frozen modules from their arrays.
        batch: the rows of data that a random key draws.
    """

    def __init__(
        self, phases: Sequence[Phase], whole: Callable[[Any], dict[int, Any]], batch: Callable[[Any, Any], Any]
    ) -> None:
        self._phases = tuple(phases)
        self._whole = whole
        self._batch = batch
        self._blocks = [block for phase in phases for block in phase.blocks]
        self.chains = max((block.chains for block in self._blocks), default=1)
        # alone and on the whole problem, the kernel of a block may trust what it computed in the last epoch
        self._refresh = len(self._blocks) > 1 or len(phases) > 1 or any(phase.groups for phase in phases)
        self._start = jax.jit(self._started, static_argnames=("place", "number"))
        self._renew = jax.jit(self._renewed, static_argnames=("place", "number"))

    def empty(self, phase: Phase, block: Block, parameters: Leaves, frozen: Any, data: Any) -> Any:
        """State of a block whose chains have not started."""
        fixed, key = self._whole(frozen), jax.random.PRNGKey(0)
        return block.empty(self._loss(phase, block, parameters, fixed, self._batch(data, key), key), parameters)

    def begin(
        self, state: TrainState, frozen: Any, data: Any, starts: dict[str, Initialization], *, resumed: bool
    ) -> TrainState:
        """The state with all chains started: where initializers put them, adapted.

        Args:
            state: before the first epoch of a run.
            frozen: arrays of the modules without the trained leaves.
            data: of that epoch.
            starts: initializers by the names of blocks.
            resumed: whether the state is that of a checkpoint; otherwise what the chains remember of the loss is
                computed again, for the weights of frozen models may be others by now.

        Raises:
            ValueError: a log density that is not finite where a chain starts.
        """
        for place, phase in enumerate(self._phases):
            for number, block in enumerate(phase.blocks):
                if not isinstance(block, MarkovBlock):
                    continue
                where = {"place": place, "number": number}
                if not bool(state.chains[place][number].started):
                    state = self._first(block, state, frozen, data, starts.get(block.name), where)
                elif block.exact and not resumed:
                    state = self._renew(state, frozen, data, **where)
        return state

    def _first(
        self,
        block: MarkovBlock,
        state: TrainState,
        frozen: Any,
        data: Any,
        start: Initialization | None,
        where: dict[str, int],
    ) -> TrainState:
        """The state with the chains of a block started."""
        key = jax.random.fold_in(jax.random.fold_in(state.key, _CHAIN_STREAM), where["place"] * 1000 + where["number"])
        initial_key, jitter_key, key = jax.random.split(key, 3)
        positions, suggested = repeated(block.pick(state.parameters), block.chains), {}
        if start is not None:
            own = start.key if start.key is not None else initial_key
            loss, others = self._loss_of_block(state, frozen, data, **where)
            density = block.log_density(loss, first_chain(others))
            positions, suggested = start.weights(own, density, block.pick(state.parameters), block.chains)
        positions = block.scattered(jitter_key, positions)
        if block.adaptation:
            get_logger().info(
                f"{block.name}: window adaptation, {block.adaptation} transitions of {block.chains} chain(s)"
            )
        tuning = block.tuning(state.parameters, suggested)
        state, densities = self._start(state, frozen, data, key, positions, tuning, **where)
        bad = [number for number, density in enumerate(densities) if not jnp.isfinite(density)]
        if bad:
            raise ValueError(
                f"{block.name}: the log density is not finite where chain(s) {', '.join(map(str, bad))} of "
                f"{block.chains} start. Look for divisions, logarithms and roots near zero, lower init_jitter, train "
                "with an optimizer first, or choose another initialization"
            )
        return state

    def _started(
        self,
        state: TrainState,
        frozen: Any,
        data: Any,
        key: Any,
        positions: Leaves,
        tuning: Any,
        place: int,
        number: int,
    ) -> tuple[TrainState, Any]:
        block = self._phases[place].blocks[number]
        assert isinstance(block, MarkovBlock)
        loss, others = self._loss_of_block(state, frozen, data, place, number)
        own, densities = block.start(key, loss, positions, tuning, others, state.chains[place][number])
        return self._with_chains(state, place, number, own), densities

    def _renewed(self, state: TrainState, frozen: Any, data: Any, place: int, number: int) -> TrainState:
        block = self._phases[place].blocks[number]
        assert isinstance(block, MarkovBlock)
        loss, others = self._loss_of_block(state, frozen, data, place, number)
        own = block.renewed(state.key, loss, state.chains[place][number], others)
        return self._with_chains(state, place, number, own)

    def _loss_of_block(self, state: TrainState, frozen: Any, data: Any, place: int, number: int) -> tuple[Loss, Leaves]:
        """The loss as a block sees it between runs, and where the chains of blocks that have started are."""
        phase, fixed = self._phases[place], self._whole(frozen)
        loss = self._loss(phase, phase.blocks[number], state.parameters, fixed, self._batch(data, state.key), state.key)
        started = [chains[:number] if p == place else chains for p, chains in enumerate(state.chains[: place + 1])]
        blocks = [b for p, chains in zip(self._phases, started, strict=False) for b in p.blocks[: len(chains)]]
        return loss, everyone(blocks, [chain for chains in started for chain in chains], self.chains)

    def _with_chains(self, state: TrainState, place: int, number: int, own: Any) -> TrainState:
        chains = [list(states) for states in state.chains]
        chains[place][number] = own
        point = first_chain(self._phases[place].blocks[number].positions(own))
        return dataclasses.replace(state, chains=chains, parameters=joined(state.parameters, point))

    def values(self, phase: Phase, chains: list[list[Any]], key: Any) -> Leaves:
        """Values of all sampled leaves; beside optimizers approximations give draws, for the mean over them counts."""
        if not self._blocks:
            return {}
        own_key = jax.random.fold_in(key, _CHAIN_STREAM) if phase.groups else None
        return everyone(self._blocks, [state for states in chains for state in states], self.chains, own_key)

    def known(self, chains: list[Any]) -> Any:
        """``((total, losses), {})`` where the only thing an epoch does is a transition of a kernel that tells them."""
        (own,) = chains if len(self._blocks) == 1 and not self._refresh else (None,)
        if not isinstance(own, ChainState) or not own.losses.shape[-1]:
            return None
        losses = jnp.mean(own.losses[:, :-1], axis=0)
        return (jnp.mean(losses), losses), {}

    def advanced(
        self, place: int, parameters: Leaves, chains: list[list[Any]], fixed: Any, batch: Any, key: Any
    ) -> tuple[Leaves, list[Any]]:
        """Trained leaves and chains of a phase after one transition of each of its blocks."""
        phase, chains = self._phases[place], [list(states) for states in chains]
        for number, block in enumerate(phase.blocks):
            own_key = jax.random.fold_in(key, _CHAIN_STREAM + number + 1)
            rest = [(b, s) for b, s in self._every(chains) if b is not block]
            others_key = jax.random.fold_in(key, _CHAIN_STREAM) if rest else None
            others = everyone([b for b, _ in rest], [s for _, s in rest], self.chains, others_key)
            loss = self._loss(phase, block, parameters, fixed, batch, key)
            own = chains[place][number]
            own = block.advance(own_key, loss, own, others, self.chains, refresh=self._refresh)
            chains[place][number] = own
            parameters = joined(parameters, first_chain(block.positions(own)))
        return parameters, chains[place]

    def _every(self, chains: list[list[Any]]) -> list[tuple[Block, Any]]:
        return [
            pair
            for phase, own in zip(self._phases, chains, strict=True)
            for pair in zip(phase.blocks, own, strict=True)
        ]

    def _loss(self, phase: Phase, block: Block, parameters: Leaves, fixed: Any, batch: Any, key: Any) -> Loss:
        """Losses of a phase as a function of sampled leaves; where they must be exact, without dropout and the like."""
        if block.exact:
            fixed, key = eqx.nn.inference_mode(fixed), None
        return lambda sampled: phase.objective.losses({}, modules(fixed, joined(parameters, sampled)), batch, key)
