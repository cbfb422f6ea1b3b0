"""The compiled epochs of a problem: many of them fused on the device, or one with a hook inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jno.trace import Initialization

from ._alike import check_like
from ._context import Gradients, StepContext
from ._epoch import Epoch, EpochProblem
from ._gibbs import GibbsSampler
from ._parameter_block import ParameterBlock
from ._phases import Phase
from ._state import TrainState
from ._step_loss import StepLoss
from ._types import Data, Leaves, Modules

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


class Step:
    """The compiled epochs of one problem.

    Args:
        problem: what an epoch consists of.
        frozen: modules with the trained leaves removed (``None``), by model id; their arrays are inputs of the
            compiled function, not constants.
        stop_on_nonfinite: end a run of epochs at the first loss that is not finite.
    """

    def __init__(self, problem: EpochProblem, frozen: Modules, *, stop_on_nonfinite: bool) -> None:
        self.phases = problem.phases
        self.balancing = problem.balancing
        self.stops_on_nonfinite = stop_on_nonfinite
        self.compiles = True  # until it has run
        self._constraints = problem.constraints
        self._devices = problem.devices
        self._sampler = GibbsSampler(problem.phases, self._modules, problem.batches)
        self._epoch = Epoch(problem, self._sampler)
        self.freeze(frozen)
        # The memory of the old state is not reused: after an error or Ctrl-C it is what the models get.
        self._loop = jax.jit(self._epochs_while_finite)
        self._scan = jax.jit(self._scanned_epochs)
        self._differentiate = jax.jit(self._gradients)
        self._apply = jax.jit(self._updated)

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
            state, _, losses = self._loop(state, self._frozen_arrays, data, np.int32(remaining))
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
            # an error of the update must not be met later, where the state before it is gone
            new = jax.block_until_ready(self._apply(state, self._frozen_arrays, data, gradients))
            check_like(new, state, "the update of the optimizers", "a state like the one before it")
            state = new
        return Epochs(state, int(finite), jax.device_get(gradients.losses)[None])

    def _epochs_while_finite(
        self, state: TrainState, frozen: Modules, data: Data, count: Int[Array, ""]
    ) -> tuple[TrainState, Int[Array, ""], Float[Array, "E C"]]:
        losses = jnp.zeros((MOST_EPOCHS, self._constraints), dtype=jnp.result_type(float))

        def goes_on(carry: _LoopCarry) -> Bool[Array, ""]:
            return (carry.done < count) & carry.finite

        def epoch(carry: _LoopCarry) -> _LoopCarry:
            new, row = self._epoch(carry.state, self._modules(frozen), data)
            finite = jnp.all(jnp.isfinite(row)) if self.stops_on_nonfinite else jnp.bool_(True)
            done = carry.done + finite
            return _LoopCarry(new, done, carry.losses.at[carry.done].set(row.astype(losses.dtype)), finite)

        carry = jax.lax.while_loop(goes_on, epoch, _LoopCarry(state, jnp.int32(0), losses, jnp.bool_(True)))
        return self._in_place(carry.state), carry.done, carry.losses

    def _scanned_epochs(self, state: TrainState, frozen: Modules, data: Data) -> tuple[TrainState, Float[Array, "E C"]]:
        """Exactly `SCAN_LENGTH` epochs without testing the losses; the caller tests them and rolls back."""
        dtype = jnp.result_type(float)

        def epoch(state: TrainState, _: None) -> tuple[TrainState, Float[Array, " C"]]:
            new, row = self._epoch(state, self._modules(frozen), data)
            return new, row.astype(dtype)

        state, losses = jax.lax.scan(epoch, state, length=SCAN_LENGTH)
        return self._in_place(state), losses

    def _in_place(self, state: TrainState) -> TrainState:
        return dataclasses.replace(state, parameters=self._devices.hold(state.parameters))

    def _modules(self, frozen: Modules) -> Modules:
        return eqx.combine(frozen, self._static)

    # --- the parts of one epoch with a hook -------------------------------------------------------------------
    def _context(self, state: TrainState, frozen: Modules, data: Data) -> StepContext:
        return self._epoch.context(state, self._modules(frozen), data)

    def _gradients(self, state: TrainState, frozen: Modules, data: Data) -> Gradients:
        return self._epoch.gradients(state, self._modules(frozen), data)

    def _updated(self, state: TrainState, frozen: Modules, data: Data, gradients: Gradients) -> TrainState:
        return self._epoch.updated(state, self._modules(frozen), data, gradients)
