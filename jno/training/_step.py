"""One epoch of training, and many of them fused on the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jno.trace import Initialization

from ._balancing import Balancing
from ._batches import Draws
from ._chains import Block, Leaves, first_chain, joined, mean_over_chains
from ._devices import Devices
from ._groups import OptimizerGroup
from ._objective import Objective, modules
from ._phases import Phase
from ._sampling import Sampling
from ._state import TrainState
from ._step_loss import StepLoss

CHUNK = 1024
"""Most epochs of one device call: the length of its loss buffer."""

BLOCK = 32
"""Epochs of a loop of fixed length, on devices that would wait for the end of an open one in every round."""


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


Hook = Callable[[Any, TrainState, StepLoss], Any]
"""Gradients, state and loss to the gradients that are used instead."""


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
        self.compiles = True  # until it has run
        self._observed = observed
        self._constraints = constraints
        self.balancing = balancing
        self._draws = draws
        self._drawn = drawn
        self._devices = devices
        self._steps = sum(phase.steps for phase in phases)
        self._sampling = Sampling(phases, self._whole, self._batch)
        self.freeze(frozen)
        # Without the finite check nothing is ever replayed, so the old state's memory can be reused.
        donated = () if stop_on_nonfinite else (0,)
        self._run = jax.jit(self._many, donate_argnums=donated)
        self._block = jax.jit(self._fixed, donate_argnums=donated)
        self._differentiate = jax.jit(self._gradients)
        self._apply = jax.jit(self._updated)

    def freeze(self, frozen: dict[int, Any]) -> None:
        """Take the current frozen arrays; the static rest must be the same as before."""
        arrays, self._static = eqx.partition(frozen, eqx.is_array)
        self._frozen_arrays = self._devices.place(arrays)

    def _whole(self, frozen: Any) -> dict[int, Any]:
        return eqx.combine(frozen, self._static)

    def empty(self, phase: Phase, block: Block, parameters: Leaves, data: Any) -> Any:
        """State of a block whose chains have not started."""
        return self._sampling.empty(phase, block, parameters, self._frozen_arrays, data)

    def begin(self, state: TrainState, data: Any, starts: dict[str, Initialization], *, resumed: bool) -> TrainState:
        """The state with all chains started, see `Sampling.begin`."""
        return self._sampling.begin(state, self._frozen_arrays, data, starts, resumed=resumed)

    def compiled(self, state: TrainState, data: Any) -> Any:
        """The compiled epochs, for a look at what they need (``memory_analysis``)."""
        return self._run.lower(state, self._frozen_arrays, data, jnp.int32(1)).compile()

    def run(self, state: TrainState, data: Any, count: int) -> tuple[TrainState, int, Any]:
        """Do up to ``count <= CHUNK`` epochs.

        Returns:
            the new state, how many epochs were finished (fewer when a loss was not finite), and the losses ``(m, C)``
            of these epochs plus, after a stop, the row that was not finite.
        """
        rows = []
        for _ in range(count // BLOCK if self._devices.launches_ahead else 0):
            state, losses = self._block(state, self._frozen_arrays, data)
            rows.append(losses)
        rest = count - BLOCK * len(rows)
        if rest:
            state, _, losses = self._run(state, self._frozen_arrays, data, jnp.int32(rest))
            rows.append(losses)
        # cut on the host: on the device every length would be compiled
        found = np.concatenate(jax.device_get(rows))[:count]
        bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if not self.stops_on_nonfinite or not len(bad):
            return state, count, found
        return state, int(bad[0]), found[: bad[0] + 1]

    def run_hooked(self, state: TrainState, data: Any, hook: Hook) -> tuple[TrainState, int, Any]:
        """One epoch of one phase, with the gradients shown to ``hook`` before the update; as `run` otherwise."""
        (total, losses), gradients = self._differentiate(state, self._frozen_arrays, data)
        finite = bool(jnp.all(jnp.isfinite(losses))) or not self.stops_on_nonfinite
        if finite:
            gradients = hook(gradients, state, StepLoss(self, state, self._frozen_arrays, data))
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

    def _fixed(self, state: TrainState, frozen: Any, data: Any) -> tuple[TrainState, Any]:
        """`BLOCK` epochs, whatever their losses are: whoever asked for them finds out, and goes back."""
        dtype = jnp.result_type(float)

        def one(state: TrainState, _: None) -> tuple[TrainState, Any]:
            new, row = self._one(state, frozen, data)
            return new, row.astype(dtype)

        state, losses = jax.lax.scan(one, state, length=BLOCK)
        return dataclasses.replace(state, parameters=self._devices.hold(state.parameters)), losses

    # --- one epoch --------------------------------------------------------------------------------------------
    def _one(self, state: TrainState, frozen: Any, data: Any) -> tuple[TrainState, Any]:
        """The state after an epoch, and the losses of all constraints before it."""
        fixed = self._whole(frozen)
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
                sampled = self._sampling.values(phase, everywhere, own_key)
                found = self._sampling.known(own_chains)
                if found is None:
                    found = self._found(phase, parameters, sampled, fixed, batch, own_key)
                newest = newest.at[jnp.array(phase.constraints)].set(found[0][1].astype(newest.dtype))
                moment = (state.epoch * self._steps + number, newest)
                how = (sampled, fixed, batch, own_key)
                parameters, states = self._moved(phase, parameters, states, how, found, moment)
                if phase.blocks:
                    moved = self._sampling.advanced(place, parameters, everywhere, fixed, batch, own_key)
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

        return mean_over_chains(of_chain, self._sampling.chains, sampled)

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
                value_fn=_GroupObjective(phase.objective, place, fixed, batch, key, sampled, self._sampling.chains),
                epoch=count,
                losses=losses,
            )
            moved[group.layer_id] = eqx.combine(eqx.apply_updates(own, updates), moved[group.layer_id])
            new_states.append(optimizer)
        return self._devices.hold(moved), new_states

    # --- one epoch in two halves ------------------------------------------------------------------------------
    @property
    def objective(self) -> Objective:
        """What the first phase minimises."""
        return self.phases[0].objective

    def setting(self, state: TrainState, frozen: Any, data: Any) -> tuple[Any, Any, Any]:
        """Fixed modules, batch and key of the epoch after a state."""
        fixed = self._whole(frozen)
        epoch_key = jax.random.split(state.key)[1]
        _, data = self._weighed(state, fixed, data, epoch_key)
        return fixed, self._batch(data, epoch_key), epoch_key

    def _gradients(self, state: TrainState, frozen: Any, data: Any) -> Any:
        return self._found(self.phases[0], state.parameters, {}, *self.setting(state, frozen, data))

    def _updated(self, state: TrainState, frozen: Any, data: Any, found: Any) -> TrainState:
        fixed = self._whole(frozen)
        key, epoch_key = jax.random.split(state.key)
        balancers, data = self._weighed(state, fixed, data, epoch_key)
        how: tuple[Leaves, Any, Any, Any] = ({}, fixed, self._batch(data, epoch_key), epoch_key)
        moment = (state.epoch, found[0][1])
        parameters, states = self._moved(self.phases[0], state.parameters, state.optimizers[0], how, found, moment)
        return TrainState(parameters, [states], state.chains, balancers, key, state.epoch + 1)
