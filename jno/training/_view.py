"""Training where it stands, to be looked at: nothing that is done with it changes the core."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.compiler import Program, spatial_tags, untracked
from jno.loggers import distinct_names
from jno.optimizers import minimises_every_step

from ._built import Built
from ._context import combined
from ._devices import Devices
from ._loop import Run
from ._plan import Plan
from ._recorder import Recorder
from ._state import TrainState
from ._step import Step
from ._types import Data, Leaves, Modules

_MOST_SAMPLES = 16
"""Samples that are looked at, evenly chosen."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingView:
    """The weights, the data and the losses of a training that goes on, or has ended.

    Attributes:
        program: the constraints, at all time levels.
        names: their labels.
        read_tags: tags of points that constraints or trackers read.
        parameters: the trained leaves.
        fixed: the modules without them, in inference mode.
        data: the arrays of some samples, at all points and times.
        epoch: number of epochs that were trained.
        history: losses of all recorded epochs.
        steps: further epochs from here; None where they cannot be repeated.
        no_steps: why they cannot.
    """

    program: Program
    names: Sequence[str]
    read_tags: frozenset[str]
    parameters: Leaves
    fixed: Modules
    data: Data
    epoch: int
    history: Float[np.ndarray, "E C"]
    steps: FurtherSteps | None
    no_steps: str

    def modules(self, parameters: Leaves) -> Modules:
        """Complete modules with these trained leaves."""
        return combined(self.fixed, parameters)


@dataclasses.dataclass(frozen=True, eq=False)
class FurtherSteps:
    """Epochs that training would do next, on a copy of its state."""

    step: Step
    state: TrainState
    data: Data

    @property
    def searches(self) -> bool:
        """Whether an optimizer finds the length of its steps itself."""
        return any(map(minimises_every_step, self.state.optimizers))

    def losses(self, factor: float, epochs: int) -> Float[np.ndarray, " E"]:
        """Total losses before each of some epochs whose updates are ``factor`` times as long as the optimizer's."""
        state, totals = self.state, []
        for _ in range(epochs):
            result = self.step.run(state, self.data, 1)
            totals.append(float(np.mean(result.losses[0])))
            if not result.finished:
                return np.append(totals, [np.inf] * (epochs - len(totals)))
            parameters = _stretched(state.parameters, result.state.parameters, factor)
            state = dataclasses.replace(result.state, parameters=parameters)
        return np.array(totals)


@jax.jit
def _stretched(before: Leaves, after: Leaves, factor: float | Array) -> Leaves:
    """Parameters ``factor`` times as far from those before an update."""

    def along(old: Array, new: Array) -> Array:
        return old + jnp.asarray(factor, jnp.finfo(old.dtype).dtype) * (new - old)

    return jax.tree_util.tree_map(along, before, after)


@dataclasses.dataclass(frozen=True, eq=False)
class Session:
    """The newest call of ``solve``, which may still be going on.

    Attributes:
        plan: the call, prepared; of one that has ended with its last state.
        run: what advances the state; None when the call has ended.
        recorder: of the losses; None when the call has ended.
    """

    plan: Plan
    run: Run | None
    recorder: Recorder | None

    @property
    def state(self) -> TrainState:
        """The newest state."""
        return self.plan.state if self.run is None else self.run.state

    def ended(self) -> Session:
        """The call with its last state, and nothing of those before."""
        return Session(dataclasses.replace(self.plan, state=self.state), None, None)

    def further_steps(self) -> FurtherSteps | str:
        """The epochs that would come next, or why there are none that can be repeated."""
        plan = self.plan
        if any(phase.blocks for phase in plan.step.phases):
            return "chains are sampled"
        if plan.feed.epochs is not None:
            return "offload_data= reads other samples in every epoch"
        if plan.options.hooked:
            return "a callback replaces the gradients"
        if self.run is None and not self._is_newest():
            return "the models were changed after training"
        return FurtherSteps(plan.step, self.state, plan.points.with_tables(plan.feed.data(int(self.state.epoch))))

    def _is_newest(self) -> bool:
        """Whether the models hold the weights that the call ended with."""
        trained = self.plan.trained_modules(self.state)
        models = [model for model in self.plan.program.models if model.layer_id in self.state.parameters]
        return all(_same_arrays(model.module, trained[model.layer_id]) for model in models)


def _same_arrays(left: object, right: object) -> bool:
    arrays, counterparts = (jax.tree_util.tree_leaves(eqx.filter(tree, eqx.is_array)) for tree in (left, right))
    return len(arrays) == len(counterparts) and all(a is b for a, b in zip(arrays, counterparts, strict=True))


def training_view(
    built: Built,
    devices: Devices,
    session: Session | None,
    logs: Sequence[Mapping[str, Any]],
    epoch: int,
    weights: Data,
) -> TrainingView:
    """Training as it stands, also in the middle of a call.

    Args:
        built: the parts of the problem.
        devices: where arrays are.
        session: the newest call of ``solve``; None before the first one.
        logs: of the calls that have ended.
        epoch: number of epochs of these calls.
        weights: those of balanced losses after these calls.

    Raises:
        ValueError: nothing is trained.
    """
    program = built.program(None if built.domain.is_time_dependent else 1)
    program.check_window("solve")
    further: FurtherSteps | str = "solve() was not called in this process"
    rows = [log["losses"] for log in logs if "losses" in log]
    if session is not None:
        session.plan.points.keep_current([program])
        further = session.further_steps()
    if session is not None and session.run is not None:
        state, balancing = session.state, session.plan.step.balancing
        parameters, frozen, epoch = state.parameters, session.plan.frozen, int(state.epoch)
        weights = balancing.entries(state.balancers)
        rows += [] if session.recorder is None else [session.recorder.log()["losses"]]
    else:
        parameters, frozen = built.trainers(program.models, apart=False).split(program.models)
    read = [built.graph.intern(untracked(expression)) for expression in [*built.constraints, *built.trackers]]
    return TrainingView(
        program=program,
        names=distinct_names(built.names()),
        read_tags=frozenset(spatial_tags(read)),
        parameters=devices.on_all(parameters),
        fixed=devices.on_all(eqx.nn.inference_mode(frozen)),
        data=devices.place_data(_few_samples(program, weights), ()),
        epoch=epoch,
        history=np.concatenate(rows) if rows else np.zeros((0, len(built.constraints))),
        steps=None if isinstance(further, str) else further,
        no_steps=further if isinstance(further, str) else "",
    )


def _few_samples(program: Program, weights: Data) -> Data:
    """The data of some samples, without what would be computed beforehand."""
    samples = program.layout.samples
    numbers = np.unique(np.linspace(0, samples - 1, min(samples, _MOST_SAMPLES)).round().astype(int))
    rows = program.rows(numbers)
    arrays = {name: rows[name] if name in rows else source[:] for name, source in program.sources.items()}
    data = {name: jnp.asarray(array) for name, array in arrays.items()}
    return {**data, **{name: array for name, array in weights.items() if name in data}}
