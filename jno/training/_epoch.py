"""One epoch of training as a pure function.

An epoch weighs the losses, then does the gradient steps of one phase after the other (`Epoch._gradient_step`): losses
and gradients, updates of the optimizers, transitions of the sampled leaves.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from ._balancing import BalancerState, Balancing
from ._batches import Batches
from ._chains import joined, mean_over_chains
from ._context import Gradients, StepContext
from ._devices import Devices
from ._fresh_points import FreshPoints
from ._gibbs import GibbsSampler
from ._group_objective import GroupObjective
from ._phases import Observed, Phase
from ._state import TrainState
from ._types import Data, Key, Leaves, Modules


class _PhaseState(eqx.Module):
    """What the gradient steps of one phase change."""

    parameters: Leaves
    optimizers: list[PyTree]
    chains: list[PyTree]
    losses: Float[Array, " C"]
    """The newest losses of all constraints."""


@dataclasses.dataclass(frozen=True)
class _Common:
    """What all gradient steps of an epoch have in common."""

    number: Int[Array, ""]
    key: Key
    fixed: Modules
    data: Data


@dataclasses.dataclass(frozen=True)
class EpochProblem:
    """What the epochs of one problem consist of."""

    phases: tuple[Phase, ...]
    """What is done in an epoch, one phase after the other."""
    observed: Observed | None
    """The constraints outside the first phase, whose losses are only recorded."""
    constraints: int
    """Number of all constraints."""
    balancing: Balancing
    """The weights that follow the losses."""
    batches: Batches
    """The samples that every gradient step sees."""
    devices: Devices
    fresh: FreshPoints
    """The points that every epoch draws anew."""


class Epoch:
    """One epoch of one problem.

    Args:
        problem: what it consists of.
        sampler: of the sampled leaves.
    """

    def __init__(self, problem: EpochProblem, sampler: GibbsSampler) -> None:
        self._problem = problem
        self._phases = problem.phases
        self._batches = problem.batches
        self._sampler = sampler
        self._steps = sum(phase.steps for phase in problem.phases)

    def __call__(self, state: TrainState, fixed: Modules, data: Data) -> tuple[TrainState, Float[Array, " C"]]:
        """The state after an epoch, and the losses of all constraints before it."""
        key, epoch_key = jax.random.split(state.key)
        balancers, data = self._weighted(state, fixed, data, epoch_key)
        common = _Common(state.epoch, epoch_key, fixed, data)
        recorded = newest = self._observed_losses(state, common)
        parameters, optimizers, chains = state.parameters, list(state.optimizers), list(state.chains)
        steps_done = 0
        for number, phase in enumerate(self._phases):
            before = _PhaseState(parameters, optimizers[number], chains[number], newest)
            after, losses = self._phase(number, common, chains, before, steps_done)
            if steps_done == 0:
                recorded = recorded.at[jnp.array(phase.constraints)].set(losses.astype(recorded.dtype))
            parameters, newest = after.parameters, after.losses
            optimizers[number], chains[number] = after.optimizers, after.chains
            steps_done += phase.steps
        return TrainState(parameters, optimizers, chains, balancers, key, state.epoch + 1), recorded

    def _phase(
        self, number: int, common: _Common, chains: list[list[PyTree]], before: _PhaseState, steps_done: int
    ) -> tuple[_PhaseState, Float[Array, " P"]]:
        """The gradient steps of one phase, and the losses before the first of them."""

        def step(phase_state: _PhaseState, step_number: int | Int[Array, ""]) -> tuple[_PhaseState, Float[Array, " P"]]:
            return self._gradient_step(number, common, chains, phase_state, step_number)

        steps = self._phases[number].steps
        if steps == 1:
            return step(before, steps_done)
        after, rows = jax.lax.scan(step, before, steps_done + jnp.arange(steps))
        return after, rows[0]

    def _gradient_step(
        self,
        phase_number: int,
        common: _Common,
        chains: list[list[PyTree]],
        before: _PhaseState,
        step_number: int | Int[Array, ""],
    ) -> tuple[_PhaseState, Float[Array, " P"]]:
        """Losses and gradients, updates of the optimizers, then one transition of the sampled leaves."""
        phase, key = self._phases[phase_number], self._key(common.key, step_number)
        count = common.number * self._steps + step_number
        batch = self._batches(common.data, key, count)
        chains = [*chains[:phase_number], before.chains, *chains[phase_number + 1 :]]
        context = StepContext(common.fixed, batch, key, self._sampler.values(phase, chains, key))
        gradients = self._sampler.recorded(before.chains)
        if gradients is None:
            gradients = self._gradients(phase, before.parameters, context)
        newest = before.losses.at[jnp.array(phase.constraints)].set(gradients.losses.astype(before.losses.dtype))
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
        return self._problem.devices.hold(new_parameters), new_optimizers

    # --- parts of an epoch ------------------------------------------------------------------------------------
    def _key(self, epoch_key: Key, step_number: int | Int[Array, ""]) -> Key:
        """The random key of a gradient step."""
        return epoch_key if self._steps == 1 else jax.random.fold_in(epoch_key, step_number)

    def _weighted(
        self, state: TrainState, fixed: Modules, data: Data, epoch_key: Key
    ) -> tuple[list[BalancerState], Data]:
        """States of the balancers with the weights of this epoch; the data with these weights and new points."""
        data, key = self._problem.fresh(state.epoch, data), self._key(epoch_key, 0)
        context = StepContext(fixed, self._batches(data, key, state.epoch * self._steps), key)
        balancers = self._problem.balancing.step(state.balancers, state.parameters, context)
        return balancers, {**data, **self._problem.balancing.entries(balancers)}

    def _observed_losses(self, state: TrainState, common: _Common) -> Float[Array, " C"]:
        """Losses of the constraints outside the first phase, zero for those inside."""
        losses = jnp.zeros(self._problem.constraints)
        observed = self._problem.observed
        if observed is None:
            return losses
        key = jax.random.fold_in(common.key, self._steps)
        context = StepContext(common.fixed, self._batches(common.data, key, common.number * self._steps), key)
        means = observed.objective.losses(state.parameters, context)
        return losses.at[jnp.array(observed.constraints)].set(means.astype(losses.dtype))

    # --- an epoch of one phase, in two halves with a hook between them -----------------------------------------
    def context(self, state: TrainState, fixed: Modules, data: Data) -> StepContext:
        """What the losses of the epoch after a state depend on, besides the trained leaves."""
        epoch_key = jax.random.split(state.key)[1]
        _, data = self._weighted(state, fixed, data, epoch_key)
        return StepContext(fixed, self._batches(data, epoch_key, state.epoch), epoch_key)

    def gradients(self, state: TrainState, fixed: Modules, data: Data) -> Gradients:
        """The gradients of the epoch after a state."""
        return self._gradients(self._phases[0], state.parameters, self.context(state, fixed, data))

    def updated(self, state: TrainState, fixed: Modules, data: Data, gradients: Gradients) -> TrainState:
        """The state after an epoch with these gradients."""
        key, epoch_key = jax.random.split(state.key)
        balancers, data = self._weighted(state, fixed, data, epoch_key)
        context = StepContext(fixed, self._batches(data, epoch_key, state.epoch), epoch_key)
        parameters, optimizers = self._updated(
            self._phases[0],
            state.parameters,
            state.optimizers[0],
            gradients,
            context,
            count=state.epoch,
            losses=gradients.losses,
        )
        return TrainState(parameters, [optimizers], state.chains, balancers, key, state.epoch + 1)
