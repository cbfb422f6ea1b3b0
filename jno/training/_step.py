"""One epoch of training, and many of them fused on the device.

An epoch (`Step._epoch`) weighs the losses, then does the gradient steps of one phase after the other
(`Step._gradient_step`): losses and gradients, updates of the optimizers, transitions of the sampled leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jno.trace import Initialization

from ._balancing import Balancing
from ._batches import MiniBatches
from ._chains import joined, mean_over_chains
from ._context import Gradients, StepContext
from ._devices import Devices
from ._gibbs import GibbsSampler
from ._group_objective import GroupObjective
from ._parameter_block import ParameterBlock
from ._phases import Observed, Phase
from ._state import TrainState
from ._step_loss import StepLoss
from ._types import Data, Key, Leaves, Modules

MOST_EPOCHS = 1024
"""Most epochs of one device call: the length of its loss buffer."""

SCAN_LENGTH = 32
"""Epochs of a scan of fixed length, on devices where a loop with an open end waits for the host in every iteration."""

Hook: TypeAlias = Callable[[Leaves, TrainState, StepLoss], Leaves]
"""Gradients, state and loss to the gradients that are used instead."""


@dataclasses.dataclass(frozen=True)
class Epochs:
    """What a number of epochs have done."""

    state: TrainState
    finished: int
    """How many were finished: fewer than planned when a loss was not finite."""
    losses: Float[np.ndarray, "E C"]
    """The losses of the finished epochs plus, after a stop, the row that was not finite."""


class _LoopCarry(eqx.Module):
    """What the loop over epochs hands on."""

    state: TrainState
    done: Int[Array, ""]
    losses: Float[Array, "E C"]
    finite: Bool[Array, ""]


class _PhaseState(eqx.Module):
    """What the gradient steps of one phase change."""

    parameters: Leaves
    optimizers: list[PyTree]
    chains: list[PyTree]
    losses: Float[Array, " C"]
    """The newest losses of all constraints."""


@dataclasses.dataclass(frozen=True)
class _Epoch:
    """What all gradient steps of an epoch have in common."""

    number: Int[Array, ""]
    key: Key
    fixed: Modules
    data: Data


class Step:
    """The compiled epoch of one problem.

    Args:
        phases: what is done in an epoch.
        observed: the constraints outside the first phase, whose losses are only recorded.
        constraints: number of all constraints.
        balancing: the weights that follow the losses.
        frozen: modules with the trained leaves removed (``None``), by model id; their arrays are inputs of the
            compiled function, not constants.
        mini_batches: the samples of every gradient step.
        drawn: whether the data already holds only the rows of an epoch.
        devices: the device mesh.
        stop_on_nonfinite: end a run of epochs at the first loss that is not finite.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        observed: Observed | None,
        constraints: int,
        balancing: Balancing,
        frozen: Modules,
        *,
        mini_batches: MiniBatches,
        drawn: bool,
        devices: Devices,
        stop_on_nonfinite: bool,
    ) -> None:
        self.phases = tuple(phases)
        self.stops_on_nonfinite = stop_on_nonfinite
        self.compiles = True  # until it has run
        self._observed = observed
        self._constraints = constraints
        self.balancing = balancing
        self._mini_batches = mini_batches
        self._drawn = drawn
        self._devices = devices
        self._steps = sum(phase.steps for phase in phases)
        self._sampler = GibbsSampler(phases, self._modules, self._batch)
        self.freeze(frozen)
        # Without the finite check nothing is ever replayed, so the old state's memory can be reused.
        donated = () if stop_on_nonfinite else (0,)
        self._loop = jax.jit(self._epochs_while_finite, donate_argnums=donated)
        self._scan = jax.jit(self._scanned_epochs, donate_argnums=donated)
        self._differentiate = jax.jit(self._hooked_gradients)
        self._apply = jax.jit(self._hooked_update)

    def freeze(self, frozen: Modules) -> None:
        """Take the current frozen arrays; everything static must be the same as before."""
        arrays, self._static = eqx.partition(frozen, eqx.is_array)
        self._frozen_arrays = self._devices.place(arrays)

    def empty(self, phase: Phase, block: ParameterBlock, parameters: Leaves, data: Data) -> PyTree:
        """State of a parameter block whose chains have not started."""
        return self._sampler.empty(phase, block, parameters, self._frozen_arrays, data)

    def begin(self, state: TrainState, data: Data, starts: dict[str, Initialization], *, resumed: bool) -> TrainState:
        """The state with all chains started, see `GibbsSampler.begin`."""
        return self._sampler.begin(state, self._frozen_arrays, data, starts, resumed=resumed)

    def compiled(self, state: TrainState, data: Data) -> jax.stages.Compiled:
        """The compiled epochs, for a look at what they need (``memory_analysis``)."""
        return self._loop.lower(state, self._frozen_arrays, data, jnp.int32(1)).compile()

    # --- runs of epochs ---------------------------------------------------------------------------------------
    def run(self, state: TrainState, data: Data, count: int) -> Epochs:
        """Do up to ``count <= MOST_EPOCHS`` epochs."""
        rows = []
        for _ in range(count // SCAN_LENGTH if self._devices.launches_ahead else 0):
            state, losses = self._scan(state, self._frozen_arrays, data)
            rows.append(losses)
        remaining = count - SCAN_LENGTH * len(rows)
        if remaining:
            state, _, losses = self._loop(state, self._frozen_arrays, data, jnp.int32(remaining))
            rows.append(losses)
        # cut on the host: on the device every length would be compiled
        losses = np.concatenate(jax.device_get(rows))[:count]
        bad = np.flatnonzero(~np.isfinite(losses).all(axis=1))
        if not self.stops_on_nonfinite or not len(bad):
            return Epochs(state, count, losses)
        return Epochs(state, int(bad[0]), losses[: bad[0] + 1])

    def run_hooked(self, state: TrainState, data: Data, hook: Hook) -> Epochs:
        """One epoch of one phase, in which ``hook`` replaces the gradients before the update."""
        gradients = self._differentiate(state, self._frozen_arrays, data)
        finite = bool(jnp.all(jnp.isfinite(gradients.losses))) or not self.stops_on_nonfinite
        if finite:
            leaves = hook(
                gradients.leaves,
                state,
                StepLoss(self.phases[0].objective, self._context, state, self._frozen_arrays, data),
            )
            gradients = Gradients(gradients.total, gradients.losses, leaves)
            state = self._apply(state, self._frozen_arrays, data, gradients)
        return Epochs(state, int(finite), jax.device_get(gradients.losses)[None])

    def _epochs_while_finite(
        self, state: TrainState, frozen: Modules, data: Data, count: Int[Array, ""]
    ) -> tuple[TrainState, Int[Array, ""], Float[Array, "E C"]]:
        losses = jnp.zeros((MOST_EPOCHS, self._constraints), dtype=jnp.result_type(float))

        def goes_on(carry: _LoopCarry) -> Bool[Array, ""]:
            return (carry.done < count) & carry.finite

        def epoch(carry: _LoopCarry) -> _LoopCarry:
            new, row = self._epoch(carry.state, frozen, data)
            finite = jnp.all(jnp.isfinite(row)) if self.stops_on_nonfinite else jnp.bool_(True)
            done = carry.done + finite
            return _LoopCarry(new, done, carry.losses.at[carry.done].set(row.astype(losses.dtype)), finite)

        carry = jax.lax.while_loop(goes_on, epoch, _LoopCarry(state, jnp.int32(0), losses, jnp.bool_(True)))
        return self._in_place(carry.state), carry.done, carry.losses

    def _scanned_epochs(self, state: TrainState, frozen: Modules, data: Data) -> tuple[TrainState, Float[Array, "E C"]]:
        """Exactly `SCAN_LENGTH` epochs without testing the losses; the caller tests them and rolls back."""
        dtype = jnp.result_type(float)

        def epoch(state: TrainState, _: None) -> tuple[TrainState, Float[Array, " C"]]:
            new, row = self._epoch(state, frozen, data)
            return new, row.astype(dtype)

        state, losses = jax.lax.scan(epoch, state, length=SCAN_LENGTH)
        return self._in_place(state), losses

    def _in_place(self, state: TrainState) -> TrainState:
        return dataclasses.replace(state, parameters=self._devices.hold(state.parameters))

    # --- one epoch --------------------------------------------------------------------------------------------
    def _epoch(self, state: TrainState, frozen: Modules, data: Data) -> tuple[TrainState, Float[Array, " C"]]:
        """The state after an epoch, and the losses of all constraints before it."""
        fixed = self._modules(frozen)
        key, epoch_key = jax.random.split(state.key)
        balancers, data = self._weighted(state, fixed, data, epoch_key)
        epoch = _Epoch(state.epoch, epoch_key, fixed, data)
        recorded = newest = self._observed_losses(state, epoch)
        parameters, optimizers, chains = state.parameters, list(state.optimizers), list(state.chains)
        steps_done = 0
        for number, phase in enumerate(self.phases):
            before = _PhaseState(parameters, optimizers[number], chains[number], newest)
            after, losses = self._phase(number, epoch, chains, before, steps_done)
            if steps_done == 0:
                recorded = recorded.at[jnp.array(phase.constraints)].set(losses.astype(recorded.dtype))
            parameters, optimizers[number], chains[number], newest = (
                after.parameters, after.optimizers, after.chains, after.losses,
            )  # fmt: skip
            steps_done += phase.steps
        return TrainState(parameters, optimizers, chains, balancers, key, state.epoch + 1), recorded

    def _phase(
        self, number: int, epoch: _Epoch, chains: list[list[PyTree]], before: _PhaseState, steps_done: int
    ) -> tuple[_PhaseState, Float[Array, " P"]]:
        """The gradient steps of one phase, and the losses before the first of them."""

        def step(phase_state: _PhaseState, step_number: int | Int[Array, ""]) -> tuple[_PhaseState, Float[Array, " P"]]:
            return self._gradient_step(number, epoch, chains, phase_state, step_number)

        steps = self.phases[number].steps
        if steps == 1:
            return step(before, steps_done)
        after, rows = jax.lax.scan(step, before, steps_done + jnp.arange(steps))
        return after, rows[0]

    def _gradient_step(
        self,
        phase_number: int,
        epoch: _Epoch,
        chains: list[list[PyTree]],
        before: _PhaseState,
        step_number: int | Int[Array, ""],
    ) -> tuple[_PhaseState, Float[Array, " P"]]:
        """Losses and gradients, updates of the optimizers, then one transition of the sampled leaves."""
        phase, key = self.phases[phase_number], self._key(epoch.key, step_number)
        batch = self._batch(epoch.data, key)
        chains = [*chains[:phase_number], before.chains, *chains[phase_number + 1 :]]
        context = StepContext(epoch.fixed, batch, key, self._sampler.values(phase, chains, key))
        gradients = self._sampler.recorded(before.chains)
        if gradients is None:
            gradients = self._gradients(phase, before.parameters, context)
        newest = before.losses.at[jnp.array(phase.constraints)].set(gradients.losses.astype(before.losses.dtype))
        count = epoch.number * self._steps + step_number
        parameters, optimizers = self._updated(
            phase, before.parameters, before.optimizers, gradients, context, count=count, losses=newest
        )
        states = before.chains
        if phase.blocks:
            parameters, states = self._sampler.advanced(phase_number, parameters, chains, context)
        return _PhaseState(parameters, optimizers, states, newest), gradients.losses

    def _gradients(self, phase: Phase, parameters: Leaves, context: StepContext) -> Gradients:
        """Those of the leaves the phase's optimizers train; of several chains the mean."""
        trained, remaining = phase.split(parameters)

        def of_chain(sampled: Leaves) -> Gradients:
            fixed = context.modules(joined(remaining, sampled))
            of_trained = dataclasses.replace(context, fixed=fixed)
            if phase.groups:
                return phase.objective.gradients(trained, of_trained)
            losses = phase.objective.losses({}, of_trained)
            return Gradients(jnp.mean(losses), losses, {})

        return mean_over_chains(of_chain, self._sampler.chains, context.sampled)

    def _updated(
        self,
        phase: Phase,
        parameters: Leaves,
        optimizers: list[PyTree],
        gradients: Gradients,
        context: StepContext,
        *,
        count: Int[Array, ""],
        losses: Float[Array, " C"],
    ) -> tuple[Leaves, list[PyTree]]:
        """Parameters and optimizer states after the updates of all groups.

        Args:
            phase: whose groups update.
            parameters: all trained leaves.
            optimizers: states of the groups.
            gradients: of these parameters.
            context: what the losses came from.
            count: number of the gradient step, which schedules see.
            losses: the newest losses of all constraints, which schedules see.
        """
        new_parameters, new_optimizers = dict(parameters), []
        for group, optimizer in zip(phase.groups, optimizers, strict=True):
            leaves, gradient = group.pick(parameters), group.pick(gradients.leaves)
            updates, new_optimizer = group.transform.update(
                gradient,
                optimizer,
                leaves,
                value=gradients.total,
                grad=gradient,
                value_fn=GroupObjective(phase.objective, group, parameters, context, self._sampler.chains),
                epoch=count,
                losses=losses,
            )
            module = new_parameters[group.layer_id]
            new_parameters[group.layer_id] = eqx.combine(eqx.apply_updates(leaves, updates), module)
            new_optimizers.append(new_optimizer)
        return self._devices.hold(new_parameters), new_optimizers

    # --- parts of an epoch ------------------------------------------------------------------------------------
    def _modules(self, frozen: Modules) -> Modules:
        return eqx.combine(frozen, self._static)

    def _key(self, epoch_key: Key, step_number: int | Int[Array, ""]) -> Key:
        """The random key of a gradient step."""
        return epoch_key if self._steps == 1 else jax.random.fold_in(epoch_key, step_number)

    def _batch(self, data: Data, key: Key) -> Data:
        batch = data if self._drawn else self._mini_batches.on_device(data, key)
        return self._devices.spread(batch, self._mini_batches.names, micro_batches=self._mini_batches.repeated)

    def _weighted(self, state: TrainState, fixed: Modules, data: Data, epoch_key: Key) -> tuple[list[PyTree], Data]:
        """States of the balancers with the weights of this epoch, and the data with these weights."""
        key = self._key(epoch_key, 0)
        context = StepContext(fixed, self._batch(data, key), key)
        balancers = self.balancing.step(state.balancers, state.parameters, context)
        return balancers, {**data, **self.balancing.entries(balancers)}

    def _observed_losses(self, state: TrainState, epoch: _Epoch) -> Float[Array, " C"]:
        """Losses of the constraints outside the first phase, zero for those inside."""
        losses = jnp.zeros(self._constraints)
        if self._observed is None:
            return losses
        key = jax.random.fold_in(epoch.key, self._steps)
        context = StepContext(epoch.fixed, self._batch(epoch.data, key), key)
        observed = self._observed.objective.losses(state.parameters, context)
        return losses.at[jnp.array(self._observed.constraints)].set(observed.astype(losses.dtype))

    # --- one epoch of one phase, in two halves with a hook between them ----------------------------------------
    def _context(self, state: TrainState, frozen: Modules, data: Data) -> StepContext:
        """What the losses of the epoch after a state depend on, besides the trained leaves."""
        fixed = self._modules(frozen)
        epoch_key = jax.random.split(state.key)[1]
        _, data = self._weighted(state, fixed, data, epoch_key)
        return StepContext(fixed, self._batch(data, epoch_key), epoch_key)

    def _hooked_gradients(self, state: TrainState, frozen: Modules, data: Data) -> Gradients:
        return self._gradients(self.phases[0], state.parameters, self._context(state, frozen, data))

    def _hooked_update(self, state: TrainState, frozen: Modules, data: Data, gradients: Gradients) -> TrainState:
        fixed = self._modules(frozen)
        key, epoch_key = jax.random.split(state.key)
        balancers, data = self._weighted(state, fixed, data, epoch_key)
        context = StepContext(fixed, self._batch(data, epoch_key), epoch_key)
        parameters, optimizers = self._updated(
            self.phases[0],
            state.parameters,
            state.optimizers[0],
            gradients,
            context,
            count=state.epoch,
            losses=gradients.losses,
        )
        return TrainState(parameters, [optimizers], state.chains, balancers, key, state.epoch + 1)
