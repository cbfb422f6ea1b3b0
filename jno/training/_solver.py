"""`Solver`: from a list of constraints and the models' records to trained weights; keeps what later calls reuse."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jno.compiler import Graph, Program, adaptive_weights, untracked, weak_values, weights_key
from jno.loggers import ConsoleLogger, RunDescription, active_loggers, distinct_names
from jno.optimizers import minimises_every_step
from jno.trace import Initialization, Model, Node, Tracker
from jno.utils import (
    CheckpointCallback,
    CheckpointFolder,
    SolveBegin,
    TrainingEnd,
    get_logger,
    user_path,
)

from ._batches import Feed, MiniBatches
from ._built import Built
from ._devices import Devices
from ._loop import Hooks, Run, interruption
from ._memory import Memory
from ._options import Options, checked_options
from ._plan import Plan
from ._point_batches import DrawnProgram
from ._points import Points
from ._posterior import check_problem, pending_starts
from ._posterior_draws import write_posteriors
from ._profile import ProfilerTrace
from ._recorder import Recorder
from ._reserved import reserved
from ._snapshot import Checkpoint, check_names, resumed, with_fixed
from ._state import TrainState
from ._step import Step
from ._trained_leaves import parameter_counts
from ._types import Data, Leaves
from ._until import Until
from ._view import Session, TrainingView, training_view


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
        self._domain = domain
        self._constraints = list(constraints)
        self._trackers = list(trackers)
        self._balanced = adaptive_weights([graph.intern(untracked(op)) for op in [*constraints, *trackers]])
        self._resumes_from: Checkpoint | None = None
        self._session: Session | None = None
        self._devices = devices
        self._seed = seed
        self.memory = memory
        self._built = Built(graph, domain, self._constraints, self._trackers, self._balanced, devices, seed)

    def solve(self, logs: list[dict[str, Any]], **options: Any) -> None:
        """Train and append the log to ``logs``; weights, history and key are kept however the loop ends.

        Args:
            logs: the logs of earlier calls.
            options: those of ``core.solve``, with ``window`` for ``min_consecutive``.

        Raises:
            RuntimeError: this core, or a model that it trains, is being trained.
        """
        if not self._constraints:
            raise ValueError("solve() needs at least one constraint; this core was built with none")
        samples = self._domain.total_samples
        checked = checked_options(samples=samples, constraints=len(self._constraints), **options)
        until = Until(checked.until, self._built.names(), self._built.tracker_names())
        trace = ProfilerTrace.of_option(checked.profile)
        with contextlib.ExitStack() as stack:
            stack.enter_context(reserved(self.memory, "this core"))
            try:
                plan = self._prepared(checked, stack)
            except KeyboardInterrupt:
                # what was being traced stays half made in JAX's caches, and later calls would stumble over it
                jax.clear_caches()
                logs.append(self._interrupted(checked))
                return
            hooks = self._hooks(plan)
            stack.callback(hooks.release)
            recorder = self._recorder(plan)
            plan.points.keep_current([plan.program, *plan.tracked.programs])
            hooks.call(self._announcement(plan))
            run = Run(plan.step, plan.feed, plan.points, plan.state, self._built.names(), recorder, hooks, until)
            recorder.begin()
            self._session = Session(plan, run, recorder)
            try:
                run.advance(checked.epochs, trace)
            finally:
                self._session = self._session.ended()
                self._finish(plan, run.state)
                logs.append(recorder.log())
                recorder.end()
            hooks.call(TrainingEnd())

    # --- one call ---------------------------------------------------------------------------------------------
    def _prepared(self, options: Options, stack: contextlib.ExitStack) -> Plan:
        """Everything a call needs, checked and on the devices, with all chains started.

        The stack holds what is trained for this call alone.
        """
        program = self._built.program(options.window)
        program.check_window("solve")
        self._hint_window(program, options.window)
        drawn = self._built.drawn(program, options.point_batch)
        program = drawn.program
        mini_batches = self._mini_batches(drawn, options)
        trainers = self._built.trainers(program.models, apart=bool(options.substeps))
        points = self._built.points(program)
        # rows that come from the host come with their points
        points.drawn_inside = not (options.offload_data and points.fresh.by_sample)
        check_problem(
            trainers.blocks, program, mini_batches, options, balanced=bool(self._balanced), resampled=points.replaced
        )
        starts = pending_starts(trainers.blocks, program.models)
        trained = trainers.selected()
        for model in program.models:
            if model.layer_id in trained:
                stack.enter_context(reserved(model, f"the model {model.model_key!r}"))
        parameters, frozen = trainers.split(program.models)
        parameters = self._devices.place(parameters)
        tracked = self._built.tracked(options.window)
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
        step = self._built.step(program, trainers, frozen, mini_batches, options)
        feed = self._built.feed(program, mini_batches, options)
        state = self._fresh_state(step, feed, parameters, program.models)
        self._hint_changing_losses(program, mini_batches, state)
        if checkpoint is not None:
            state = self._devices.place(resumed(checkpoint, state, program.models))
            points.resume(checkpoint.arrays.get("points", {}))
        state = self._begun(step, state, feed, starts, options.epochs, resumed=checkpoint is not None)
        if checkpoint is not None:
            for model in watched:
                model.module = fixed[model.layer_id]
            self._resumes_from = None
        points.warn_if_idle(int(state.epoch) + options.epochs)
        return Plan(
            options, program, step, feed, points, tracked, state, frozen, models, fixed, resumed=checkpoint is not None
        )

    def _interrupted(self, options: Options) -> dict[str, Any]:
        """The log of a call that Ctrl-C ended before its first epoch, which has changed nothing."""
        names = self._built.names()
        run = RunDescription(
            constraint_names=distinct_names(names), first_epoch=self.memory.epoch, planned_epochs=options.epochs
        )
        recorder = Recorder(run, names, ())
        recorder.stop_reason = interruption(self.memory.epoch, 0)
        get_logger().warning(
            f"training was interrupted before its first epoch: the models are as before (0 of {options.epochs} epochs)"
        )
        return recorder.log()

    def _mini_batches(self, drawn: DrawnProgram, options: Options) -> MiniBatches:
        """The samples and points of every update.

        Raises:
            ValueError: ``offload_data`` without data, or a batch that the devices do not divide.
        """
        layout = drawn.program.layout
        if options.offload_data and not layout.batched:
            raise ValueError(
                "offload_data=True keeps data with one row per sample on the host, and the constraints use none; leave "
                "it out"
            )
        if layout.batched:
            self._devices.check_batch(options.batchsize or self._domain.total_samples, options.batchsize)
        return MiniBatches(layout.batched, layout.samples, options.batchsize, options.accumulation_steps, drawn.batches)

    def _fresh_state(self, step: Step, feed: Feed, parameters: Leaves, models: Sequence[Model]) -> TrainState:
        """The state with what earlier calls have left behind."""
        memory, devices = self.memory, self._devices
        optimizers = devices.place(memory.optimizer_states(step.phases, parameters, models))
        empty = lambda phase, block: step.empty(phase, block, parameters, feed.data(memory.epoch))  # noqa: E731
        chains = devices.place(memory.chain_states(step.phases, empty, models))
        balancers = memory.balancer_states(step.balancing)
        return TrainState(parameters, optimizers, chains, balancers, memory.key, jax.device_put(np.int32(memory.epoch)))

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
            # another core may be training what is frozen here
            if model.layer_id in state.parameters or plan.resumed:
                model.module = trained[model.layer_id]
            if model.layer_id in state.parameters:
                model.posterior_samples = model.posterior_diagnostics = None
        self.memory.remember(plan.step.phases, state, plan.program.models)
        write_posteriors(plan.step.phases, state, plan.program.models)
        plan.points.settle(int(state.epoch) - 1)

    def _hooks(self, plan: Plan) -> Hooks:
        return Hooks(
            tracked=plan.tracked,
            tracker_names=distinct_names(self._built.tracker_names()),
            callbacks=plan.options.callbacks,
            inner_steps=plan.options.inner_steps,
            modules_of=plan.tracked_modules,
            snapshot=plan.snapshot,
            context=functools.partial(self._context, plan.points),
            check_solvable=plan.check_solvable if weak_values(plan.program.roots) else None,
        )

    def _context(self, points: Points, epoch: int) -> Mapping[str, Any]:
        """The arrays of the domain with the points of an epoch."""
        points.settle(epoch)
        context: Mapping[str, Any] = self._domain.context
        return context

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
            constraint_names=self._built.names(),
            tracker_names=distinct_names(self._built.tracker_names()),
            all_ops=[*self._constraints, *self._trackers],
            domain=self._domain,
        )

    def _recorder(self, plan: Plan) -> Recorder:
        run = RunDescription(
            constraint_names=distinct_names(self._built.names()),
            tracker_names=distinct_names(self._built.tracker_names()),
            first_epoch=int(plan.state.epoch),
            planned_epochs=plan.options.epochs,
            parameter_counts=parameter_counts(plan.program.models, plan.state.parameters),
            seed=self._seed,
            options=plan.options.described(),
            resumed=plan.resumed,
        )
        # of several processes, all of which have the whole history, one logs it
        loggers = (ConsoleLogger(), *active_loggers(), *plan.options.loggers) if jax.process_index() == 0 else ()
        return Recorder(run, self._built.names(), loggers)

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

    def view(self, logs: Sequence[Mapping[str, Any]]) -> TrainingView:
        """Training where it stands, also in the middle of `solve`; nothing is changed.

        Raises:
            ValueError: no constraint, a checkpoint that waits for `solve`, nothing that is trained.
        """
        if not self._constraints:
            raise ValueError("diagnose() needs at least one constraint; this core was built with none")
        if self._resumes_from is not None:
            raise ValueError(
                "diagnose(): the weights of the checkpoint are taken over by the next solve(); call that before"
            )
        return training_view(self._built, self._devices, self._session, logs, self.memory.epoch, self.weights())

    def weights(self) -> Data:
        """The newest weights of balanced losses, as entries of a program's data; none before training."""
        pairs = zip(self._balanced, self.memory.balancers, strict=False)
        return {weights_key(node): jnp.asarray(weights) for node, (weights, _) in pairs}

    @property
    def points_version(self) -> int:
        """How often collocation points were replaced."""
        return self._built.points_version

    def points_described(self, window: int | None) -> list[str]:
        """One line about every tag with a resampling strategy: where its new points come from."""
        if not self._constraints or not self._domain.samples.resampled:
            return []
        return self._built.points(self._built.program(window)).described()

    def _hint_changing_losses(self, program: Program, mini_batches: MiniBatches, state: TrainState) -> None:
        """Say that the mean over random draws is not what such optimizers find."""
        changing = "mini-batches" if not mini_batches.full else "noise" if program.noise_streams else ""
        if changing and any(map(minimises_every_step, state.optimizers)):
            get_logger().once(
                f"the loss is that of other {changing} in every step, and an optimizer of second order goes to the "
                "minimum of each: the loss over all of them may not fall. Train on all samples and without noise, or "
                "with a first-order optimizer such as optax.adam",
                level="warning",
            )

    def _hint_window(self, program: Program, window: int | None) -> None:
        if program.layout.levels > 1 and window == 1:
            get_logger().once(
                f"the domain has {program.layout.levels} time levels; each step sees one of them, drawn at random. "
                "solve(min_consecutive=None) uses all levels in every step"
            )
