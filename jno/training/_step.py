"""One epoch of training, and many of them fused on the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.trace import Initialization
from jno.utils import get_logger

from ._balancing import Balancing
from ._batches import Draws
from ._chains import (
    Block,
    ChainState,
    Leaves,
    Loss,
    MarkovBlock,
    everyone,
    first_chain,
    joined,
    mean_over_chains,
    repeated,
)
from ._devices import Devices
from ._groups import OptimizerGroup
from ._objective import Objective, modules
from ._phases import Phase

_CHAIN_STREAM = 0xC4A1
"""Random stream of chains, apart from those of mini-batches, noise and dropout."""

CHUNK = 1024
"""Most epochs of one device call: the length of its loss buffer."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything an epoch changes: trained leaves by model, optimizer states by phase and group, chains by phase and
    block, states of balancers, the random key and the epoch."""

    parameters: dict[int, Any]
    optimizers: list[list[Any]]
    chains: list[list[Any]]
    balancers: list[Any]
    key: Any
    epoch: Any


@dataclasses.dataclass(frozen=True)
class _GroupObjective:
    """The loss of one group's leaves (the mean over chains), and the residuals behind it for optimizers that need
    them."""

    objective: Objective
    place: Callable[[Any], dict[int, Any]]
    """All trained parameters with these leaves among them."""
    fixed: dict[int, Any]
    batch: Any
    key: Any
    sampled: Leaves
    chains: int

    def __call__(self, leaves: Any) -> Any:
        def of_chain(sampled: Leaves) -> Any:
            own = joined(self.place(leaves), sampled)
            return self.objective.total(own, self.fixed, self.batch, self.key)

        return mean_over_chains(of_chain, self.chains, self.sampled)

    def residuals(self, leaves: Any, terms: Any = None) -> Any:
        """The vector whose squares add up to the loss, or the part of it that belongs to these terms."""
        if self.chains > 1:
            raise ValueError(
                f"this optimizer needs the residuals of one set of weights: it cannot train beside a Bayesian model of "
                f"num_chains={self.chains}; use num_chains=1"
            )
        own = joined(self.place(leaves), first_chain(self.sampled))
        return self.objective.residuals(own, self.fixed, self.batch, self.key, terms)


Hook = Callable[[Any, TrainState], Any]
"""Gradients and state to the gradients that are used instead."""


class Step:
    """The compiled epoch of one problem.

    Args:
        phases: what is done in an epoch.
        observed: constraints outside the first phase, whose losses are only recorded: an objective and positions.
        constraints: number of all constraints.
        balancing: the weights that follow the losses.
        frozen: modules with the trained leaves removed (``None``), by model id; their arrays are inputs of the
            compiled function, not constants.
        draws: the mini-batch of every gradient step.
        drawn: whether the data already holds only the rows of an epoch.
        devices: the device mesh.
        stop_on_nonfinite: end a run of epochs at the first loss that is not finite.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        observed: tuple[Objective, tuple[int, ...]] | None,
        constraints: int,
        balancing: Balancing,
        frozen: dict[int, Any],
        *,
        draws: Draws,
        drawn: bool,
        devices: Devices,
        stop_on_nonfinite: bool,
    ) -> None:
        self.phases = tuple(phases)
        self.stops_on_nonfinite = stop_on_nonfinite
        self._observed = observed
        self._constraints = constraints
        self.balancing = balancing
        self._draws = draws
        self._drawn = drawn
        self._devices = devices
        self._steps = sum(phase.steps for phase in phases)
        self._blocks = [block for phase in phases for block in phase.blocks]
        self._chains = max((block.chains for block in self._blocks), default=1)
        # alone and on the whole problem, the kernel of a block may trust what it computed in the last epoch
        self._refresh = len(self._blocks) > 1 or len(phases) > 1 or any(phase.groups for phase in phases)
        self.freeze(frozen)
        # Without the finite check nothing is ever replayed, so the old state's memory can be reused.
        donated = () if stop_on_nonfinite else (0,)
        self._run = jax.jit(self._many, donate_argnums=donated)
        self._differentiate = jax.jit(self._gradients)
        self._apply = jax.jit(self._updated)
        self._start = jax.jit(self._started, static_argnames=("place", "number"))
        self._renew = jax.jit(self._renewed, static_argnames=("place", "number"))

    def freeze(self, frozen: dict[int, Any]) -> None:
        """Take the current frozen arrays; the static rest must be the same as before."""
        arrays, self._static = eqx.partition(frozen, eqx.is_array)
        self._frozen_arrays = self._devices.place(arrays)

    def compiled(self, state: TrainState, data: Any) -> Any:
        """The compiled epochs, for a look at what they need (``memory_analysis``)."""
        return self._run.lower(state, self._frozen_arrays, data, jnp.int32(1)).compile()

    def run(self, state: TrainState, data: Any, count: int) -> tuple[TrainState, int, Any]:
        """Do up to ``count <= CHUNK`` epochs.

        Returns:
            the new state, how many epochs were finished (fewer when a loss was not finite), and the losses ``(m, C)``
            of these epochs plus, after a stop, the row that was not finite.
        """
        state, done, losses = self._run(state, self._frozen_arrays, data, jnp.int32(count))
        finished = int(done)
        rows = finished if finished == count else finished + 1
        return state, finished, jax.device_get(losses)[:rows]

    def run_hooked(self, state: TrainState, data: Any, hook: Hook) -> tuple[TrainState, int, Any]:
        """One epoch of one phase, with the gradients shown to ``hook`` before the update; as `run` otherwise."""
        (total, losses), gradients = self._differentiate(state, self._frozen_arrays, data)
        finite = bool(jnp.all(jnp.isfinite(losses))) or not self.stops_on_nonfinite
        if finite:
            gradients = hook(gradients, state)
            state = self._apply(state, self._frozen_arrays, data, ((total, losses), gradients))
        return state, int(finite), jax.device_get(losses)[None]

    def _many(self, state: TrainState, frozen: Any, data: Any, count: Any) -> tuple[TrainState, Any, Any]:
        losses = jnp.zeros((CHUNK, self._constraints), dtype=jnp.result_type(float))

        def going(carry: tuple[Any, Any, Any, Any]) -> Any:
            _, done, _, finite = carry
            return (done < count) & finite

        def body(carry: tuple[Any, Any, Any, Any]) -> tuple[Any, Any, Any, Any]:
            state, done, losses, _ = carry
            new, row = self._one(state, frozen, data)
            finite = jnp.all(jnp.isfinite(row)) if self.stops_on_nonfinite else jnp.bool_(True)
            return new, done + finite, losses.at[done].set(row.astype(losses.dtype)), finite

        state, done, losses, _ = jax.lax.while_loop(going, body, (state, jnp.int32(0), losses, jnp.bool_(True)))
        held = dataclasses.replace(state, parameters=self._devices.hold(state.parameters))
        return held, done, losses

    # --- one epoch --------------------------------------------------------------------------------------------
    def _one(self, state: TrainState, frozen: Any, data: Any) -> tuple[TrainState, Any]:
        """The state after an epoch, and the losses of all constraints before it."""
        fixed = eqx.combine(frozen, self._static)
        key, epoch_key = jax.random.split(state.key)
        balancers, data = self._weighed(state, fixed, data, epoch_key)
        recorded = self._recorded(state, fixed, data, epoch_key)
        parameters, optimizers, chains = state.parameters, list(state.optimizers), list(state.chains)
        number, newest = 0, recorded
        for place, phase in enumerate(self.phases):

            def substep(carry: Any, number: Any, place: int = place, phase: Phase = phase) -> tuple[Any, Any]:
                parameters, states, own_chains, newest = carry
                own_key = self._key(epoch_key, number)
                batch = self._batch(data, own_key)
                everywhere = [*chains[:place], own_chains, *chains[place + 1 :]]
                sampled = self._sampled(phase, everywhere, own_key)
                found = self._known(own_chains)
                if found is None:
                    found = self._found(phase, parameters, sampled, fixed, batch, own_key)
                newest = newest.at[jnp.array(phase.constraints)].set(found[0][1].astype(newest.dtype))
                moment = (state.epoch * self._steps + number, newest)
                how = (sampled, fixed, batch, own_key)
                parameters, states = self._moved(phase, parameters, states, how, found, moment)
                if phase.blocks:
                    moved = self._advanced(place, parameters, everywhere, fixed, batch, own_key)
                    parameters, own_chains = moved
                return (parameters, states, own_chains, newest), found[0][1]

            carry = (parameters, optimizers[place], chains[place], newest)
            if phase.steps == 1:
                carry, losses = substep(carry, number)
            else:
                carry, rows = jax.lax.scan(substep, carry, number + jnp.arange(phase.steps))
                losses = rows[0]
            if number == 0:
                recorded = recorded.at[jnp.array(phase.constraints)].set(losses.astype(recorded.dtype))
            parameters, optimizers[place], chains[place], newest = carry
            number += phase.steps
        return TrainState(parameters, optimizers, chains, balancers, key, state.epoch + 1), recorded

    def _key(self, epoch_key: Any, number: Any) -> Any:
        """The random key of a gradient step."""
        return epoch_key if self._steps == 1 else jax.random.fold_in(epoch_key, number)

    def _weighed(self, state: TrainState, fixed: Any, data: Any, epoch_key: Any) -> tuple[list[Any], Any]:
        """States of the balancers with the weights of this epoch, and the data with these weights."""
        key = self._key(epoch_key, 0)
        batch = self._batch(data, key)
        balancers = self.balancing.step(state.balancers, state.parameters, fixed, batch, key)
        return balancers, {**data, **self.balancing.entries(balancers)}

    def _recorded(self, state: TrainState, fixed: Any, data: Any, key: Any) -> Any:
        """Losses of the constraints outside the first phase."""
        losses = jnp.zeros(self._constraints)
        if self._observed is None:
            return losses
        objective, positions = self._observed
        own_key = jax.random.fold_in(key, self._steps)
        found = objective.losses(state.parameters, fixed, self._batch(data, own_key), own_key)
        return losses.at[jnp.array(positions)].set(found.astype(losses.dtype))

    def _batch(self, data: Any, key: Any) -> Any:
        batch = data if self._drawn else self._draws.on_device(data, key)
        return self._devices.spread(batch, self._draws.names, micro_batches=self._draws.repeated)

    def _found(self, phase: Phase, parameters: Any, sampled: Leaves, fixed: Any, batch: Any, key: Any) -> Any:
        """``((total, losses), gradients)`` of the leaves the phase's optimizers train; of several chains the mean."""
        own, others = phase.split(parameters)

        def of_chain(sampled: Leaves) -> Any:
            rest = modules(fixed, joined(others, sampled))
            if phase.groups:
                return phase.objective.value_and_gradient(own, rest, batch, key)
            losses = phase.objective.losses({}, rest, batch, key)
            return (jnp.mean(losses), losses), {}

        return mean_over_chains(of_chain, self._chains, sampled)

    def _moved(
        self,
        phase: Phase,
        parameters: dict[int, Any],
        states: list[Any],
        how: tuple[Leaves, Any, Any, Any],
        found: Any,
        moment: tuple[Any, Any],
    ) -> tuple[dict[int, Any], list[Any]]:
        """Parameters and optimizer states after the updates of all groups.

        ``how`` the losses came about: values of the sampled leaves, fixed modules, batch and key.
        """
        (total, _), gradients = found
        count, losses = moment
        sampled, fixed, batch, key = how
        moved, new_states = dict(parameters), []
        for group, optimizer in zip(phase.groups, states, strict=True):
            own, own_gradients = group.pick(parameters), group.pick(gradients)

            def place(leaves: Any, group: OptimizerGroup = group) -> dict[int, Any]:
                return {**parameters, group.layer_id: eqx.combine(leaves, parameters[group.layer_id])}

            updates, optimizer = group.transform.update(
                own_gradients,
                optimizer,
                own,
                value=total,
                grad=own_gradients,
                value_fn=_GroupObjective(phase.objective, place, fixed, batch, key, sampled, self._chains),
                epoch=count,
                losses=losses,
            )
            moved[group.layer_id] = eqx.combine(eqx.apply_updates(own, updates), moved[group.layer_id])
            new_states.append(optimizer)
        return self._devices.hold(moved), new_states

    # --- sampled leaves ---------------------------------------------------------------------------------------
    def empty_chains(self, parameters: Leaves, data: Any) -> list[list[Any]]:
        """Chains that have not started, by phase and block."""
        fixed, key = eqx.combine(self._frozen_arrays, self._static), jax.random.PRNGKey(0)
        return [
            [
                block.empty(self._loss(phase, block, parameters, fixed, self._batch(data, key), key), parameters)
                for block in phase.blocks
            ]
            for phase in self.phases
        ]

    def begin(self, state: TrainState, data: Any, starts: dict[str, Initialization], *, resumed: bool) -> TrainState:
        """The state with all chains started: where initializers put them, adapted.

        Args:
            state: before the first epoch of a run.
            data: of that epoch.
            starts: initializers by the names of blocks.
            resumed: whether the state is that of a checkpoint; otherwise what the chains remember of the loss is
                computed again, for the weights of frozen models may be others by now.

        Raises:
            ValueError: a log density that is not finite where a chain starts.
        """
        for place, phase in enumerate(self.phases):
            for number, block in enumerate(phase.blocks):
                if not isinstance(block, MarkovBlock):
                    continue
                where = {"place": place, "number": number}
                if not bool(state.chains[place][number].started):
                    state = self._first(block, state, data, starts.get(block.name), where)
                elif block.exact and not resumed:
                    state = self._renew(state, self._frozen_arrays, data, **where)
        return state

    def _first(
        self, block: MarkovBlock, state: TrainState, data: Any, start: Initialization | None, where: dict[str, int]
    ) -> TrainState:
        """The state with the chains of a block started."""
        key = jax.random.fold_in(jax.random.fold_in(state.key, _CHAIN_STREAM), where["place"] * 1000 + where["number"])
        initial_key, jitter_key, key = jax.random.split(key, 3)
        positions, suggested = repeated(block.pick(state.parameters), block.chains), {}
        if start is not None:
            own = start.key if start.key is not None else initial_key
            loss, others = self._loss_of_block(state, self._frozen_arrays, data, **where)
            density = block.log_density(loss, first_chain(others))
            positions, suggested = start.weights(own, density, block.pick(state.parameters), block.chains)
        positions = block.scattered(jitter_key, positions)
        if block.adaptation:
            get_logger().info(
                f"{block.name}: window adaptation, {block.adaptation} transitions of {block.chains} chain(s)"
            )
        tuning = block.tuning(state.parameters, suggested)
        state, densities = self._start(state, self._frozen_arrays, data, key, positions, tuning, **where)
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
        block = self.phases[place].blocks[number]
        assert isinstance(block, MarkovBlock)
        loss, others = self._loss_of_block(state, frozen, data, place, number)
        own, densities = block.start(key, loss, positions, tuning, others, state.chains[place][number])
        return self._with_chains(state, place, number, own), densities

    def _renewed(self, state: TrainState, frozen: Any, data: Any, place: int, number: int) -> TrainState:
        block = self.phases[place].blocks[number]
        assert isinstance(block, MarkovBlock)
        loss, others = self._loss_of_block(state, frozen, data, place, number)
        own = block.renewed(state.key, loss, state.chains[place][number], others)
        return self._with_chains(state, place, number, own)

    def _loss_of_block(self, state: TrainState, frozen: Any, data: Any, place: int, number: int) -> tuple[Loss, Leaves]:
        """The loss as a block sees it between runs, and where the chains of blocks that have started are."""
        phase, fixed = self.phases[place], eqx.combine(frozen, self._static)
        loss = self._loss(phase, phase.blocks[number], state.parameters, fixed, self._batch(data, state.key), state.key)
        started = [chains[:number] if p == place else chains for p, chains in enumerate(state.chains[: place + 1])]
        blocks = [b for p, chains in zip(self.phases, started, strict=False) for b in p.blocks[: len(chains)]]
        return loss, everyone(blocks, [chain for chains in started for chain in chains], self._chains)

    def _with_chains(self, state: TrainState, place: int, number: int, own: Any) -> TrainState:
        chains = [list(states) for states in state.chains]
        chains[place][number] = own
        point = first_chain(self.phases[place].blocks[number].positions(own))
        return dataclasses.replace(state, chains=chains, parameters=joined(state.parameters, point))

    def _sampled(self, phase: Phase, chains: list[list[Any]], key: Any) -> Leaves:
        """Values of all sampled leaves; beside optimizers, approximations give draws, for the mean over them counts."""
        if not self._blocks:
            return {}
        own_key = jax.random.fold_in(key, _CHAIN_STREAM) if phase.groups else None
        return everyone(self._blocks, [state for states in chains for state in states], self._chains, own_key)

    def _known(self, chains: list[Any]) -> Any:
        """``((total, losses), {})`` where the only thing an epoch does is a transition of a kernel that tells them."""
        (own,) = chains if len(self._blocks) == 1 and not self._refresh else (None,)
        if not isinstance(own, ChainState) or not own.losses.shape[-1]:
            return None
        losses = jnp.mean(own.losses[:, :-1], axis=0)
        return (jnp.mean(losses), losses), {}

    def _advanced(
        self, place: int, parameters: Leaves, chains: list[list[Any]], fixed: Any, batch: Any, key: Any
    ) -> tuple[Leaves, list[Any]]:
        """Trained leaves and chains of a phase after one transition of each of its blocks."""
        phase, chains = self.phases[place], [list(states) for states in chains]
        for number, block in enumerate(phase.blocks):
            own_key = jax.random.fold_in(key, _CHAIN_STREAM + number + 1)
            rest = [(b, s) for b, s in self._every(chains) if b is not block]
            others_key = jax.random.fold_in(key, _CHAIN_STREAM) if rest else None
            others = everyone([b for b, _ in rest], [s for _, s in rest], self._chains, others_key)
            loss = self._loss(phase, block, parameters, fixed, batch, key)
            own = chains[place][number]
            own = block.advance(own_key, loss, own, others, self._chains, refresh=self._refresh)
            chains[place][number] = own
            parameters = joined(parameters, first_chain(block.positions(own)))
        return parameters, chains[place]

    def _every(self, chains: list[list[Any]]) -> list[tuple[Block, Any]]:
        return [
            pair for phase, own in zip(self.phases, chains, strict=True) for pair in zip(phase.blocks, own, strict=True)
        ]

    def _loss(self, phase: Phase, block: Block, parameters: Leaves, fixed: Any, batch: Any, key: Any) -> Loss:
        """Losses of a phase as a function of sampled leaves; where they must be exact, without dropout and the like."""
        if block.exact:
            fixed, key = eqx.nn.inference_mode(fixed), None
        return lambda sampled: phase.objective.losses({}, modules(fixed, joined(parameters, sampled)), batch, key)

    # --- one epoch in two halves ------------------------------------------------------------------------------
    def _gradients(self, state: TrainState, frozen: Any, data: Any) -> Any:
        fixed = eqx.combine(frozen, self._static)
        epoch_key = jax.random.split(state.key)[1]
        _, data = self._weighed(state, fixed, data, epoch_key)
        return self._found(self.phases[0], state.parameters, {}, fixed, self._batch(data, epoch_key), epoch_key)

    def _updated(self, state: TrainState, frozen: Any, data: Any, found: Any) -> TrainState:
        fixed = eqx.combine(frozen, self._static)
        key, epoch_key = jax.random.split(state.key)
        balancers, data = self._weighed(state, fixed, data, epoch_key)
        how: tuple[Leaves, Any, Any, Any] = ({}, fixed, self._batch(data, epoch_key), epoch_key)
        moment = (state.epoch, found[0][1])
        parameters, states = self._moved(self.phases[0], state.parameters, state.optimizers[0], how, found, moment)
        return TrainState(parameters, [states], state.chains, balancers, key, state.epoch + 1)
