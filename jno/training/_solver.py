"""`Solver`: from a list of constraints and the models' records to trained weights; keeps what later calls reuse."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.compiler import Graph, Program, adaptive_weights, untracked, weights_key
from jno.loggers import ConsoleLogger, RunDescription, active_loggers, distinct_names
from jno.trace import Initialization, Model, Node, Tracker
from jno.utils import (
    CheckpointCallback,
    CheckpointFolder,
    SolveBegin,
    TrainingEnd,
    get_logger,
    get_stop_on_nonfinite,
    user_path,
)

from ._balancing import Balancing
from ._batches import DeviceFeed, Feed, HostFeed, MiniBatches
from ._context import combined
from ._devices import Devices
from ._groups import claims, optimizer_groups
from ._loop import Hooks, Run
from ._memory import Memory
from ._objective import Objective
from ._options import Options, Substep, checked_options
from ._phases import observed_outside, phases_of
from ._points import Points
from ._posterior import blocks_of, check_problem, pending_starts
from ._posterior_draws import write_posteriors
from ._profile import ProfilerTrace
from ._recorder import Recorder
from ._resampling import Resampling
from ._snapshot import Checkpoint, check_names, resumed, snapshot, with_fixed
from ._state import TrainState
from ._step import Step
from ._trackers import Tracked
from ._trained_leaves import Trainers, parameter_counts
from ._types import Data, Leaves, Modules


@dataclasses.dataclass(frozen=True)
class Plan:
    """One ``solve`` call, prepared: what runs, from which state, and what stays as it is."""

    options: Options
    program: Program
    step: Step
    feed: Feed
    points: Points
    tracked: Tracked
    state: TrainState
    frozen: Modules
    """Modules of the constraints' models without the trained leaves."""
    models: tuple[Model, ...]
    """The models of the constraints, then those that only trackers contain."""
    fixed: Modules
    """Modules of all models without the trained leaves."""

    def tracked_modules(self, state: TrainState) -> Modules:
        """Complete modules for trackers and resampling."""
        return {model.layer_id: model.module for model in self.tracked.models} | self.trained_modules(state)

    def trained_modules(self, state: TrainState) -> Modules:
        """Complete modules of the constraints' models."""
        return combined(self.frozen, state.parameters)

    def snapshot(self, state: TrainState) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a checkpoint holds, see `snapshot`."""
        return snapshot(state, self.models, self.fixed, self.points.snapshot())


@dataclasses.dataclass(frozen=True)
class _Configuration:
    """What a compiled step belongs to besides the program: models as configured, samples, options."""

    models: tuple[tuple[int, int], ...]
    mini_batches: MiniBatches
    stop_on_nonfinite: bool
    checkpoint: bool
    drawn: bool
    substeps: tuple[Substep, ...]


class Solver:
    """Training of one core over any number of ``solve`` calls.

    Compiled steps are kept per (options, configuration of the models), so a second call with the same
    options compiles nothing; optimizer states live on while a model's configuration does not change.
    """

    def __init__(
        self,
        graph: Graph,
        domain: Any,
        constraints: Sequence[Node],
        trackers: Sequence[Tracker],
        memory: Memory,
        devices: Devices,
        seed: int,
    ) -> None:
        self._graph = graph
        self._domain = domain
        self._constraints = list(constraints)
        self._trackers = list(trackers)
        self._programs: dict[int | None, Program] = {}
        self._steps: dict[tuple[int, _Configuration], Step] = {}
        self._trainers_of: dict[tuple[tuple[tuple[int, int], ...], bool], Trainers] = {}
        self._tracked: dict[int | None, Tracked] = {}
        self._balanced = adaptive_weights([graph.intern(untracked(op)) for op in [*constraints, *trackers]])
        self._feeds: dict[Program, DeviceFeed] = {}
        self._points: Points | None = None
        self._resumes_from: Checkpoint | None = None
        self._devices = devices
        self._seed = seed
        self.memory = memory

    def solve(self, logs: list[dict[str, Any]], **options: Any) -> None:
        """Train and append the log to ``logs``; weights, history and key are kept whatever ends the loop.

        Args:
            logs: the logs of earlier calls.
            options: those of ``core.solve``, with ``window`` for ``min_consecutive``.
        """
        if not self._constraints:
            raise ValueError("solve() needs at least one constraint; this core was built with none")
        samples = self._domain.total_samples
        checked = checked_options(samples=samples, constraints=len(self._constraints), **options)
        trace = ProfilerTrace.of_option(checked.profile)
        plan = self._prepared(checked)
        recorder = self._recorder(plan)
        plan.points.keep_current([plan.program, *plan.tracked.programs])
        hooks = self._hooks(plan)
        hooks.call(self._announcement(plan))
        run = Run(plan.step, plan.feed, plan.points, plan.state, self._names(), recorder, hooks)
        recorder.begin()
        try:
            run.advance(checked.epochs, trace)
        finally:
            self._finish(plan, run.state)
            logs.append(recorder.log())
            recorder.end()
        hooks.call(TrainingEnd())

    # --- one call ---------------------------------------------------------------------------------------------
    def _prepared(self, options: Options) -> Plan:
        """Everything a call needs, checked and on the devices, with all chains started."""
        program = self._program(options.window)
        program.check_window("solve")
        self._hint_window(program, options.window)
        mini_batches = self._mini_batches(program, options)
        trainers = self._trainers(program.models, apart=bool(options.substeps))
        points = self._points_for(program)
        resampled = points.next_after(0) is not None
        check_problem(
            trainers.blocks, program, mini_batches, options, balanced=bool(self._balanced), resampled=resampled
        )
        starts = pending_starts(trainers.blocks, program.models)
        parameters, frozen = trainers.split(program.models)
        parameters = self._devices.place(parameters)
        tracked = self._trackers_for(options.window)
        # the models that trackers alone contain are part of a checkpoint too
        watched = [model for model in tracked.models if model not in program.models]
        models = (*program.models, *watched)
        fixed = {**frozen, **{model.layer_id: model.module for model in watched}}
        if any(isinstance(callback, CheckpointCallback) for callback in options.callbacks):
            check_names(models)
        checkpoint = self._resumes_from
        if checkpoint is not None:
            fixed = with_fixed(checkpoint, parameters, models, fixed)
            frozen = {layer_id: fixed[layer_id] for layer_id in frozen}
        step = self._step(program, trainers, frozen, mini_batches, options)
        feed = self._feed(program, mini_batches, options)
        state = self._fresh_state(step, feed, parameters, program.models)
        if checkpoint is not None:
            state = self._devices.place(resumed(checkpoint, state, program.models))
            points.resume(checkpoint.arrays.get("points", {}))
            for model in watched:
                model.module = fixed[model.layer_id]
            self._resumes_from = None
        state = self._begun(step, state, feed, starts, options.epochs, resumed=checkpoint is not None)
        points.warn_if_idle(int(state.epoch) + options.epochs)
        return Plan(options, program, step, feed, points, tracked, state, frozen, models, fixed)

    def _mini_batches(self, program: Program, options: Options) -> MiniBatches:
        """The samples of every update.

        Raises:
            ValueError: ``offload_data`` without data, or a batch that the devices do not divide.
        """
        layout = program.layout
        if options.offload_data and not layout.batched:
            raise ValueError(
                "offload_data=True keeps data with one row per sample on the host, and the constraints use none; leave "
                "it out"
            )
        if layout.batched:
            self._devices.check_batch(options.batchsize or self._domain.total_samples, options.batchsize)
        return MiniBatches(layout.batched, layout.samples, options.batchsize, options.accumulation_steps)

    def _fresh_state(self, step: Step, feed: Feed, parameters: Leaves, models: Sequence[Model]) -> TrainState:
        """The state with what earlier calls have left behind."""
        memory, devices = self.memory, self._devices
        optimizers = devices.place(memory.optimizer_states(step.phases, parameters, models))
        empty = lambda phase, block: step.empty(phase, block, parameters, feed.data(memory.epoch))  # noqa: E731
        chains = devices.place(memory.chain_states(step.phases, empty, models))
        balancers = memory.balancer_states(step.balancing)
        return TrainState(parameters, optimizers, chains, balancers, memory.key, jnp.int32(memory.epoch))

    def _begun(
        self,
        step: Step,
        state: TrainState,
        feed: Feed,
        starts: dict[str, Initialization],
        epochs: int,
        *,
        resumed: bool,
    ) -> TrainState:
        """The state with all chains started; initializers are served once."""
        for phase, chains in zip(step.phases, state.chains, strict=True):
            for block, block_state in zip(phase.blocks, chains, strict=True):
                hint = block.check_epochs(block_state, epochs * phase.steps)
                if hint:
                    get_logger().info(hint)
        if any(phase.blocks for phase in step.phases):
            state = step.begin(state, feed.data(int(state.epoch)), starts, resumed=resumed)
        return state

    def _finish(self, plan: Plan, state: TrainState) -> None:
        """Write the end of a run to the models and remember it."""
        trained = plan.trained_modules(state)
        for model in plan.program.models:
            model.module = trained[model.layer_id]
            if model.layer_id in state.parameters:
                model.posterior_samples = model.posterior_diagnostics = None
        self.memory.remember(plan.step.phases, state, plan.program.models)
        write_posteriors(plan.step.phases, state, plan.program.models)

    def _hooks(self, plan: Plan) -> Hooks:
        return Hooks(
            tracked=plan.tracked,
            tracker_names=distinct_names(self._tracker_names()),
            callbacks=plan.options.callbacks,
            inner_steps=plan.options.inner_steps,
            modules_of=plan.tracked_modules,
            snapshot=plan.snapshot,
            context=lambda: self._domain.context,
        )

    def _announcement(self, plan: Plan) -> SolveBegin:
        return SolveBegin(
            compiled_constraints_fn=plan.program,
            n_constraints=len(self._constraints),
            batchsize=plan.options.batchsize,
            frozen=plan.frozen,
            static=eqx.filter(plan.frozen, eqx.is_array, inverse=True),
            trainable=plan.state.parameters,
            context=self._domain.context,
            rng=plan.state.key,
            epoch=int(plan.state.epoch),
            min_consecutive=plan.program.window,
            constraint_exprs=self._constraints,
            constraint_names=self._names(),
            tracker_names=distinct_names(self._tracker_names()),
            all_ops=[*self._constraints, *self._trackers],
            domain=self._domain,
        )

    def _recorder(self, plan: Plan) -> Recorder:
        run = RunDescription(
            constraint_names=distinct_names(self._names()),
            tracker_names=distinct_names(self._tracker_names()),
            first_epoch=int(plan.state.epoch),
            planned_epochs=plan.options.epochs,
            parameter_counts=parameter_counts(plan.program.models, plan.state.parameters),
            seed=self._seed,
            options=plan.options.described(),
        )
        # of several processes, all of which have the whole history, one logs it
        loggers = (ConsoleLogger(), *active_loggers(), *plan.options.loggers) if jax.process_index() == 0 else ()
        return Recorder(run, self._names(), loggers)

    # --- between calls ----------------------------------------------------------------------------------------
    def resume(self, directory: str | Path, step: int | None) -> None:
        """Let the next ``solve`` go on from a checkpoint.

        Raises:
            FileNotFoundError: there is none.
        """
        directory = user_path(directory)
        if not directory.is_dir():
            raise FileNotFoundError(f"no checkpoint directory {str(directory)!r}")
        folder = CheckpointFolder(directory)
        try:
            self._resumes_from = Checkpoint(*folder.read(step))
        finally:
            folder.close()

    def weights(self) -> Data:
        """The newest weights of balanced losses, as entries of a program's data; none before training."""
        pairs = zip(self._balanced, self.memory.balancers, strict=False)
        return {weights_key(node): jnp.asarray(weights) for node, (weights, _) in pairs}

    @property
    def points_version(self) -> int:
        """How often collocation points were replaced."""
        return 0 if self._points is None else self._points.version

    # --- what is built once -----------------------------------------------------------------------------------
    def _program(self, window: int | None) -> Program:
        if window not in self._programs:
            self._programs[window] = Program(self._constraints, self._domain, window=window, graph=self._graph)
        return self._programs[window]

    def _points_for(self, program: Program) -> Points:
        if self._points is None:
            self._points = Points(Resampling(program, self._domain), self._seed)
        return self._points

    def _trainers(self, models: Sequence[Model], *, apart: bool) -> Trainers:
        """What is trained by whom; ``apart``: one parameter block per model."""
        configured = (_versions(models), apart)
        if configured not in self._trainers_of:
            claimed = claims(models)
            groups = optimizer_groups(claimed, len(self._constraints))
            self._trainers_of[configured] = Trainers(tuple(groups), tuple(blocks_of(claimed, together=not apart)))
        trainers = self._trainers_of[configured]
        if not trainers.groups and not trainers.blocks:
            raise ValueError("every model is frozen: there is nothing to train")
        return trainers

    def _step(
        self, program: Program, trainers: Trainers, frozen: Modules, mini_batches: MiniBatches, options: Options
    ) -> Step:
        configuration = _Configuration(
            _versions(program.models),
            mini_batches,
            get_stop_on_nonfinite(),
            options.checkpoint_gradients,
            options.offload_data,
            options.substeps,
        )
        key = (id(program), configuration)
        if key not in self._steps:
            self._steps[key] = self._compiled(program, trainers, frozen, configuration, options)
        self._steps[key].freeze(frozen)
        return self._steps[key]

    def _compiled(
        self, program: Program, trainers: Trainers, frozen: Modules, configuration: _Configuration, options: Options
    ) -> Step:
        mini_batches = configuration.mini_batches
        objective_of = functools.partial(
            Objective,
            mini_batches=mini_batches,
            checkpoint=configuration.checkpoint,
            point_blocks=not self._devices.several,
        )
        phases = phases_of(program, trainers.groups, trainers.blocks, options, objective_of)
        return Step(
            phases,
            observed_outside(phases[0], program, objective_of),
            len(program.roots),
            Balancing(self._balanced, program, mini_batches),
            frozen,
            mini_batches=mini_batches,
            drawn=configuration.drawn,
            devices=self._devices,
            stop_on_nonfinite=configuration.stop_on_nonfinite,
        )

    def _feed(self, program: Program, mini_batches: MiniBatches, options: Options) -> Feed:
        if options.offload_data:
            return HostFeed(program, mini_batches, self._devices, self._seed)
        if program not in self._feeds:
            self._feeds[program] = DeviceFeed(program, self._devices)
        return self._feeds[program]

    def _trackers_for(self, window: int | None) -> Tracked:
        if window not in self._tracked:
            programs = [Program([t.target], self._domain, window=window, graph=self._graph) for t in self._trackers]
            self._tracked[window] = Tracked(self._trackers, programs, self._tracker_names(), self._devices)
        return self._tracked[window]

    def _names(self) -> list[str]:
        return [c.metadata.label or f"C{number}" for number, c in enumerate(self._constraints)]

    def _tracker_names(self) -> list[str]:
        return [t.metadata.label or f"T{number}" for number, t in enumerate(self._trackers)]

    def _hint_window(self, program: Program, window: int | None) -> None:
        if program.layout.levels > 1 and window == 1:
            get_logger().once(
                f"the domain has {program.layout.levels} time levels; each step sees one of them, drawn at random. "
                "solve(min_consecutive=None) uses all levels in every step"
            )


def _versions(models: Sequence[Model]) -> tuple[tuple[int, int], ...]:
    """Which models, as they are configured."""
    return tuple((model.layer_id, model.version) for model in models)
