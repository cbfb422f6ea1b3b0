"""`Solver`: from a list of constraints and the models' records to trained weights; keeps what later calls reuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.compiler import Graph, Program, adaptive_weights, untracked, weights_key
from jno.loggers import ConsoleLogger, RunDescription, active_loggers, distinct_names
from jno.lora import lora_trainable_filter
from jno.trace import Model, Node, Tracker
from jno.utils import CheckpointCallback, CheckpointFolder, get_logger, get_stop_on_nonfinite, user_path

from ._balancing import Balancing
from ._batches import DeviceFeed, Draws, Feed, HostFeed
from ._chains import Block
from ._devices import Devices
from ._draws import write_posteriors
from ._groups import OptimizerGroup, claims, optimizer_groups
from ._loop import Hooks, Run
from ._memory import Memory
from ._objective import Objective, modules
from ._options import Options, checked_options
from ._phases import copied, phases_of
from ._points import Points
from ._posterior import blocks_of, check_epochs, check_problem, pending_starts
from ._profile import Trace
from ._recorder import Recorder
from ._resampling import Resampling
from ._snapshot import check_names, resumed, snapshot, with_fixed
from ._state import TrainState
from ._step import Step
from ._trackers import Tracked


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
        self._steps: dict[Any, Step] = {}
        self._groups: dict[Any, tuple[list[OptimizerGroup], list[Block]]] = {}
        self._tracked: dict[int | None, Tracked] = {}
        self._balanced = adaptive_weights([graph.intern(untracked(op)) for op in [*constraints, *trackers]])
        self._feeds: dict[Program, DeviceFeed] = {}
        self._points: Points | None = None
        self._resumes_from: tuple[Any, dict[str, Any]] | None = None
        self._devices = devices
        self._seed = seed
        self.memory = memory

    def solve(self, logs: list[dict[str, Any]], **given: Any) -> None:
        """Train and append the log to ``logs``; weights, history and key are kept whatever ends the loop.

        Args:
            logs: the logs of earlier calls.
            given: the options of ``core.solve``, with ``window`` for ``min_consecutive``.
        """
        if not self._constraints:
            raise ValueError("solve() needs at least one constraint; this core was built with none")
        samples = self._domain.total_samples
        options = checked_options(samples=samples, constraints=len(self._constraints), **given)
        trace = Trace.wanted(options.profile)
        program = self._program(options.window)
        program.check_window("solve")
        self._hint_window(program, options.window)
        draws = Draws(program.layout.batched, program.layout.samples, options.batchsize, options.accumulation_steps)
        if options.offload_data and not program.layout.batched:
            raise ValueError(
                "offload_data=True keeps data with one row per sample on the host, and the constraints use none; leave "
                "it out"
            )
        if program.layout.batched:
            self._devices.check_batch(options.batchsize or samples, options.batchsize)
        configuration = tuple((model.layer_id, model.version) for model in program.models)
        groups, blocks = self._trained_by(configuration, program.models, bool(options.substeps))
        if not groups and not blocks:
            raise ValueError("every model is frozen: there is nothing to train")
        points = self._points_for(program)
        check_problem(
            blocks, program, draws, options, balanced=bool(self._balanced), resampled=points.next_after(0) is not None
        )
        starts = pending_starts(blocks, program.models)
        parameters, frozen = _split(program.models, groups, blocks)
        parameters = self._devices.place(parameters)
        tracked = self._trackers_for(options.window)
        # what trackers alone see is part of a checkpoint too
        watched = [model for model in tracked.models if model not in program.models]
        models = [*program.models, *watched]
        fixed = {**frozen, **{model.layer_id: model.module for model in watched}}
        if any(isinstance(callback, CheckpointCallback) for callback in options.callbacks):
            check_names(models)
        resumes = self._resumes_from
        if resumes is not None:
            fixed = with_fixed(*resumes, parameters, models, fixed)
            frozen = {layer_id: fixed[layer_id] for layer_id in frozen}
        step = self._step(program, (groups, blocks), frozen, draws, configuration, options)
        feed = self._feed(program, draws, options)
        states = self._devices.place(self.memory.optimizer_states(step.phases, parameters, program.models))
        empty = lambda phase, block: step.empty(phase, block, parameters, feed.data(self.memory.epoch))  # noqa: E731
        chains = self._devices.place(self.memory.chain_states(step.phases, empty, program.models))
        balancers = self.memory.balancer_states(step.balancing)
        state = TrainState(parameters, states, chains, balancers, self.memory.key, jnp.int32(self.memory.epoch))
        if resumes is not None:
            arrays, metadata = resumes
            state = self._devices.place(resumed(arrays, metadata["models"], state, program.models))
            points.resume(arrays.get("points", {}))
            for model in watched:
                model.module = fixed[model.layer_id]
            self._resumes_from = None
        state = self._begun(step, state, feed, starts, options.epochs, resumed=resumes is not None)
        points.warn_if_idle(int(state.epoch) + options.epochs)
        recorder = self._recorder(int(state.epoch), program, parameters, options)
        points.shown_to([program, *tracked.programs])
        hooks = Hooks(
            tracked=tracked,
            tracker_names=distinct_names(self._tracker_names()),
            callbacks=options.callbacks,
            inner_steps=options.inner_steps,
            modules_of=lambda s: {m.layer_id: m.module for m in tracked.models} | modules(frozen, s.parameters),
            snapshot=lambda s: snapshot(s, models, fixed, points.snapshot()),
            keywords=lambda: {"context": self._domain.context, "log": get_logger()},
        )
        self._announce(hooks, program, state, frozen, options.batchsize)
        run = Run(step, feed, points, state, self._names(), recorder, hooks)
        recorder.begin()
        try:
            run.advance(options.epochs, trace)
        finally:
            trained = modules(frozen, run.state.parameters)
            for model in program.models:
                model.module = trained[model.layer_id]
                if model.layer_id in run.state.parameters:
                    model.posterior_samples = model.posterior_diagnostics = None
            self.memory.keep(step.phases, run.state, program.models)
            write_posteriors(step.phases, run.state, program.models)
            logs.append(recorder.log())
            recorder.end()
        hooks.each("on_training_end")

    def _begun(
        self, step: Step, state: TrainState, feed: Feed, starts: Any, epochs: int, *, resumed: bool
    ) -> TrainState:
        """The state with all chains started; initializers are served once."""
        for phase, chains in zip(step.phases, state.chains, strict=True):
            for line in check_epochs(phase.blocks, chains, epochs * phase.steps):
                get_logger().info(line)
        if any(phase.blocks for phase in step.phases):
            state = step.begin(state, feed.data(int(state.epoch)), starts, resumed=resumed)
        return state

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
            self._resumes_from = folder.read(step)
        finally:
            folder.close()

    def weights(self) -> dict[tuple[str, str], Any]:
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

    def _trained_by(
        self, configuration: Any, models: Sequence[Model], apart: bool
    ) -> tuple[list[OptimizerGroup], list[Block]]:
        """Groups with optimizers, and blocks of sampled leaves (``apart``: one per model)."""
        key = (configuration, apart)
        if key not in self._groups:
            own = claims(models)
            self._groups[key] = optimizer_groups(own, len(self._constraints)), blocks_of(own, together=not apart)
        return self._groups[key]

    def _step(
        self, program: Program, updaters: Any, frozen: Any, draws: Draws, configuration: Any, options: Options
    ) -> Step:
        stop = get_stop_on_nonfinite()
        checkpoint, drawn = options.checkpoint_gradients, options.offload_data
        key = (id(program), draws, configuration, stop, checkpoint, drawn, options.substeps)
        if key not in self._steps:
            how: dict[str, Any] = {"draws": draws, "checkpoint": checkpoint, "blocks": not self._devices.several}
            groups, blocks = updaters
            phases = phases_of(program, groups, blocks, options, **how)
            rest = tuple(i for i in range(len(program.roots)) if i not in phases[0].constraints)
            observed = (Objective(program.part(rest), **how), rest) if rest else None
            self._steps[key] = Step(
                phases,
                observed,
                len(program.roots),
                Balancing(self._balanced, program, draws),
                frozen,
                draws=draws,
                drawn=drawn,
                devices=self._devices,
                stop_on_nonfinite=stop,
            )
        self._steps[key].freeze(frozen)
        return self._steps[key]

    def _recorder(self, first_epoch: int, program: Program, parameters: Any, options: Options) -> Recorder:
        run = RunDescription(
            constraint_names=distinct_names(self._names()),
            tracker_names=distinct_names(self._tracker_names()),
            first_epoch=first_epoch,
            planned_epochs=options.epochs,
            parameter_counts=_counts(program.models, parameters),
            seed=self._seed,
            options=options.described(),
        )
        # of several processes, which all know everything, one tells
        loggers = (ConsoleLogger(), *active_loggers(), *options.loggers) if jax.process_index() == 0 else ()
        return Recorder(run, self._names(), loggers)

    def _feed(self, program: Program, draws: Draws, options: Options) -> Feed:
        if options.offload_data:
            return HostFeed(program, draws, self._devices, self._seed)
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

    def _announce(self, hooks: Hooks, program: Program, state: TrainState, frozen: Any, batchsize: int | None) -> None:
        hooks.each(
            "on_solve_begin",
            compiled_constraints_fn=program,
            n_constraints=len(self._constraints),
            batchsize=batchsize,
            frozen=frozen,
            static=eqx.filter(frozen, eqx.is_array, inverse=True),
            trainable=state.parameters,
            context=self._domain.context,
            rng=state.key,
            epoch=int(state.epoch),
            min_consecutive=program.window,
            constraint_exprs=self._constraints,
            constraint_names=self._names(),
            tracker_names=distinct_names(self._tracker_names()),
            all_ops=[*self._constraints, *self._trackers],
            domain=self._domain,
        )


def _split(
    models: Sequence[Model], groups: Sequence[OptimizerGroup], blocks: Sequence[Block]
) -> tuple[dict[int, Any], dict[int, Any]]:
    """Trained leaves by model (fresh copies: the step may reuse their memory) and modules without them."""
    trained: dict[int, Any] = {}
    claimed = [(group.layer_id, group.selected) for group in groups]
    claimed += [pair for block in blocks for pair in block.selected.items()]
    for layer_id, selected in claimed:
        if layer_id in trained:
            selected = jax.tree_util.tree_map(lambda a, b: a or b, trained[layer_id], selected)
        trained[layer_id] = selected
    parameters, frozen = {}, {}
    for model in models:
        if model.layer_id in trained:
            own, frozen[model.layer_id] = eqx.partition(model.module, trained[model.layer_id])
            parameters[model.layer_id] = copied(own)
        else:
            frozen[model.layer_id] = model.module
    return parameters, frozen


def _counts(models: Sequence[Model], parameters: dict[int, Any]) -> dict[str, int]:
    total = sum(_size(model.module, eqx.is_array) for model in models)
    trained = _size(parameters, eqx.is_array)
    adapters = sum(_size(model.module, lora_trainable_filter(model.module)) for model in models)
    counts = {"trainable_params": trained, "frozen_params": total - trained, "total_params": total}
    return {**counts, "lora_params": adapters}


def _size(tree: Any, chosen: Any) -> int:
    return sum(leaf.size for leaf in jax.tree_util.tree_leaves(eqx.filter(tree, chosen)))
