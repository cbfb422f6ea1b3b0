"""The sampled leaves of a problem: how their chains start, and one transition of every parameter block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jno.trace import Initialization
from jno.utils import get_logger

from ._chains import first_chain, joined, repeated
from ._context import Gradients, StepContext
from ._markov_block import MarkovBlock, Tuning
from ._parameter_block import Loss, ParameterBlock, sampled_values
from ._phases import Phase
from ._state import TrainState
from ._types import Data, Key, Leaves, Modules

_CHAIN_STREAM = 0xC4A1
"""Random stream of chains, apart from those of mini-batches, noise and dropout."""


@dataclasses.dataclass(frozen=True, order=True)
class _BlockNumbers:
    """Where a parameter block stands: the number of its phase, and its number there."""

    phase: int
    block: int


class GibbsSampler:
    """Samples the parameter blocks in turn, each conditional on the current values of the others.

    Args:
        phases: of an epoch.
        modules: gives the modules without their trained leaves from the arrays in them.
        batch: gives the rows of data that a random key draws, at the points of a step.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        modules: Callable[[Modules], Modules],
        batch: Callable[[Data, Key, int | Int[Array, ""]], Data],
    ) -> None:
        self._phases = tuple(phases)
        self._modules = modules
        self._batch = batch
        self._steps = sum(phase.steps for phase in phases)
        self._blocks = [block for phase in phases for block in phase.blocks]
        self._markov = {
            _BlockNumbers(p, b): block
            for p, phase in enumerate(phases)
            for b, block in enumerate(phase.blocks)
            if isinstance(block, MarkovBlock)
        }
        self.chains = max((block.chains for block in self._blocks), default=1)
        # alone and on the whole problem, the kernel of a block may trust what it computed in the last epoch
        self._refresh = len(self._blocks) > 1 or len(phases) > 1 or any(phase.groups for phase in phases)
        self._start = jax.jit(self._started, static_argnames=("place",))
        self._renew = jax.jit(self._renewed, static_argnames=("place",))

    # --- between runs -----------------------------------------------------------------------------------------
    def empty(self, phase: Phase, block: ParameterBlock, parameters: Leaves, frozen: Modules, data: Data) -> PyTree:
        """State of a block whose chains have not started."""
        key = jax.random.PRNGKey(0)
        context = StepContext(self._modules(frozen), self._batch(data, key, 0), key)
        return block.empty(self._loss(phase, block, parameters, context), parameters)

    def begin(
        self, state: TrainState, frozen: Modules, data: Data, starts: dict[str, Initialization], *, resumed: bool
    ) -> TrainState:
        """The state with all chains started: where initializers put them, adapted.

        Args:
            state: before the first epoch of a run.
            frozen: arrays of the modules without the trained leaves.
            data: of that epoch.
            starts: initializers by the names of blocks.
            resumed: whether the state is that of a checkpoint; otherwise what the chains remember of the loss is
                computed again, for the weights of frozen models may have changed.

        Raises:
            ValueError: a log density that is not finite where a chain starts.
        """
        for place, block in self._markov.items():
            if not bool(state.chains[place.phase][place.block].started):
                state = self._begun(place, block, state, frozen, data, starts.get(block.name))
            elif block.exact and not resumed:
                state = self._renew(state, frozen, data, place=place)
        return state

    def _begun(
        self,
        place: _BlockNumbers,
        block: MarkovBlock,
        state: TrainState,
        frozen: Modules,
        data: Data,
        start: Initialization | None,
    ) -> TrainState:
        """The state with the chains of one block started."""
        key = jax.random.fold_in(jax.random.fold_in(state.key, _CHAIN_STREAM), place.phase * 1000 + place.block)
        initial_key, jitter_key, key = jax.random.split(key, 3)
        positions, suggested = repeated(block.pick(state.parameters), block.chains), {}
        if start is not None:
            loss, conditions = self._conditional_loss(state, frozen, data, place)
            density = block.log_density(loss, first_chain(conditions))
            start_key = start.key if start.key is not None else initial_key
            positions, suggested = start.weights(start_key, density, block.pick(state.parameters), block.chains)
        positions = block.scattered(jitter_key, positions)
        if block.adaptation:
            get_logger().info(
                f"{block.name}: window adaptation, {block.adaptation} transitions of {block.chains} chain(s)"
            )
        tuning = block.tuning(state.parameters, suggested)
        state, densities = self._start(state, frozen, data, key, positions, tuning, place=place)
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
        frozen: Modules,
        data: Data,
        key: Key,
        positions: Leaves,
        tuning: Tuning,
        place: _BlockNumbers,
    ) -> tuple[TrainState, Float[Array, " chains"]]:
        loss, conditions = self._conditional_loss(state, frozen, data, place)
        chains = state.chains[place.phase][place.block]
        chains, densities = self._markov[place].start(key, loss, positions, tuning, conditions, chains)
        return self._with_chains(state, place, chains), densities

    def _renewed(self, state: TrainState, frozen: Modules, data: Data, place: _BlockNumbers) -> TrainState:
        loss, conditions = self._conditional_loss(state, frozen, data, place)
        chains = self._markov[place].renewed(state.key, loss, state.chains[place.phase][place.block], conditions)
        return self._with_chains(state, place, chains)

    def _conditional_loss(
        self, state: TrainState, frozen: Modules, data: Data, place: _BlockNumbers
    ) -> tuple[Loss, Leaves]:
        """The loss as a block sees it between runs, and where the chains of blocks that have started are."""
        phase = self._phases[place.phase]
        context = StepContext(self._modules(frozen), self._batch(data, state.key, state.epoch * self._steps), state.key)
        loss = self._loss(phase, phase.blocks[place.block], state.parameters, context)
        started = [pair for p, pair in self._with_states(state.chains) if p < place]
        return loss, sampled_values([block for block, _ in started], [chains for _, chains in started], self.chains)

    def _with_chains(self, state: TrainState, place: _BlockNumbers, new: PyTree) -> TrainState:
        chains = [list(states) for states in state.chains]
        chains[place.phase][place.block] = new
        point = first_chain(self._markov[place].positions(new))
        return dataclasses.replace(state, chains=chains, parameters=joined(state.parameters, point))

    # --- inside an epoch --------------------------------------------------------------------------------------
    def values(self, phase: Phase, chains: list[list[PyTree]], key: Key) -> Leaves:
        """Values of all sampled leaves; beside optimizers approximations give draws, for the mean over them counts."""
        if not self._blocks:
            return {}
        draw_key = jax.random.fold_in(key, _CHAIN_STREAM) if phase.groups else None
        return sampled_values(self._blocks, [state for states in chains for state in states], self.chains, draw_key)

    def recorded(self, chains: list[PyTree]) -> Gradients | None:
        """The losses where an epoch is nothing but a transition of a kernel that tells them; no gradients."""
        if len(self._blocks) != 1 or self._refresh:
            return None
        losses = self._blocks[0].recorded_losses(chains[0])
        return None if losses is None else Gradients(jnp.mean(losses), losses, {})

    def advanced(
        self, phase_number: int, parameters: Leaves, chains: list[list[PyTree]], context: StepContext
    ) -> tuple[Leaves, list[PyTree]]:
        """Trained leaves and chains of a phase after one transition of each of its blocks."""
        assert context.key is not None  # that of a gradient step
        phase, chains = self._phases[phase_number], [list(states) for states in chains]
        for number, block in enumerate(phase.blocks):
            key = jax.random.fold_in(context.key, _CHAIN_STREAM + number + 1)
            remaining = [pair for _, pair in self._with_states(chains) if pair[0] is not block]
            draw_key = jax.random.fold_in(context.key, _CHAIN_STREAM) if remaining else None
            blocks, states = [b for b, _ in remaining], [s for _, s in remaining]
            conditions = sampled_values(blocks, states, self.chains, draw_key)
            loss = self._loss(phase, block, parameters, context)
            state = chains[phase_number][number]
            state = block.advance(key, loss, state, conditions, self.chains, refresh=self._refresh)
            chains[phase_number][number] = state
            parameters = joined(parameters, first_chain(block.positions(state)))
        return parameters, chains[phase_number]

    def _with_states(self, chains: list[list[PyTree]]) -> Iterator[tuple[_BlockNumbers, tuple[ParameterBlock, PyTree]]]:
        for p, (phase, states) in enumerate(zip(self._phases, chains, strict=True)):
            for b, pair in enumerate(zip(phase.blocks, states, strict=True)):
                yield _BlockNumbers(p, b), pair

    def _loss(self, phase: Phase, block: ParameterBlock, parameters: Leaves, context: StepContext) -> Loss:
        """Losses of a phase as a function of sampled leaves; where they must be exact, without dropout and the like."""
        if block.exact:
            context = dataclasses.replace(context, fixed=eqx.nn.inference_mode(context.fixed), key=None)
        return lambda sampled: phase.objective.losses(
            {}, dataclasses.replace(context, fixed=context.modules(joined(parameters, sampled)))
        )
