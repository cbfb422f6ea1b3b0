"""`Solver`: from a list of constraints and the models' records to trained weights; keeps what later calls reuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.compiler import Graph, Program, needs_window
from jno.trace import Model, Node, Tracker
from jno.utils import get_logger, get_stop_on_nonfinite
from jno.utils.callbacks import Callback

from ._groups import OptimizerGroup, optimizer_groups
from ._loop import Hooks, Run
from ._memory import Memory
from ._recorder import Recorder
from ._step import Step, TrainState
from ._trackers import Tracked


class Solver:
    """Training of one core over any number of ``solve`` calls.

    Compiled steps are kept per (batch size, window, configuration of the models), so a second call with the same
    options compiles nothing; optimizer states live on while a model's configuration does not change.
    """

    def __init__(
        self, graph: Graph, domain: Any, constraints: Sequence[Node], trackers: Sequence[Tracker], memory: Memory
    ) -> None:
        self._graph = graph
        self._domain = domain
        self._constraints = list(constraints)
        self._trackers = list(trackers)
        self._programs: dict[int | None, Program] = {}
        self._steps: dict[Any, Step] = {}
        self._groups: dict[Any, list[OptimizerGroup]] = {}
        self._tracked: dict[int | None, Tracked] = {}
        self.memory = memory

    def solve(
        self,
        logs: list[dict[str, Any]],
        *,
        epochs: int,
        batchsize: int | None,
        inner_steps: int,
        window: int | None,
        callbacks: list[Any],
    ) -> None:
        """Train and append the log to ``logs``; weights, history and key are kept whatever ends the loop."""
        if not self._constraints:
            raise ValueError("solve() needs at least one constraint; this core was built with none")
        program = self._program(window)
        _check_options(epochs, batchsize, inner_steps, self._domain)
        _check_callbacks(callbacks)
        if needs_window(program.roots) and program.window < 2:
            raise ValueError("an expression integrates over time: solve(min_consecutive=...) must be at least 2")
        self._hint_window(program, window)
        configuration = tuple((model.layer_id, model.version) for model in program.models)
        groups = self._groups_for(configuration, program.models)
        if not groups:
            raise ValueError("every model is frozen: there is nothing to train")
        parameters, frozen = _split(program.models, groups)
        step = self._step(program, groups, frozen, batchsize, configuration)
        states = self.memory.optimizer_states(groups, parameters, program.models)
        state = TrainState(parameters, states, self.memory.key, jnp.int32(self.memory.epoch))
        recorder = Recorder(self._names(), self.memory.epoch, _counts(program.models, parameters))
        tracked = self._trackers_for(window)
        hooks = Hooks(
            tracked=tracked,
            callbacks=callbacks,
            inner_steps=inner_steps,
            modules_of=lambda s: {m.layer_id: m.module for m in tracked.models} | _merge(frozen, s.parameters),
            keywords=lambda: {"context": self._domain.context, "log": get_logger()},
        )
        self._announce(callbacks, program, state, frozen, batchsize)
        run = Run(step, state, self._names(), recorder, hooks)
        try:
            run.advance(epochs)
        finally:
            trained = _merge(frozen, run.state.parameters)
            for model in program.models:
                model.module = trained[model.layer_id]
            self.memory.keep(groups, run.state, program.models)
            logs.append(recorder.log())
        for callback in callbacks:
            callback.on_training_end()

    # --- what is built once -----------------------------------------------------------------------------------
    def _program(self, window: int | None) -> Program:
        if window not in self._programs:
            self._programs[window] = Program(self._constraints, self._domain, window=window, graph=self._graph)
        return self._programs[window]

    def _groups_for(self, configuration: Any, models: Sequence[Model]) -> list[OptimizerGroup]:
        if configuration not in self._groups:
            self._groups[configuration] = optimizer_groups(models, len(self._constraints))
        return self._groups[configuration]

    def _step(self, program: Program, groups: Any, frozen: Any, batchsize: int | None, configuration: Any) -> Step:
        stop = get_stop_on_nonfinite()
        key = (id(program), batchsize, configuration, stop)
        if key not in self._steps:
            self._steps[key] = Step(program, groups, frozen, batchsize, stop)
        self._steps[key].freeze(frozen)
        return self._steps[key]

    def _trackers_for(self, window: int | None) -> Tracked:
        if window not in self._tracked:
            programs = [Program([t.target], self._domain, window=window, graph=self._graph) for t in self._trackers]
            names = [t.metadata.label or f"T{number}" for number, t in enumerate(self._trackers)]
            self._tracked[window] = Tracked(self._trackers, programs, names)
        return self._tracked[window]

    def _names(self) -> list[str]:
        return [c.metadata.label or f"C{number}" for number, c in enumerate(self._constraints)]

    def _hint_window(self, program: Program, window: int | None) -> None:
        if program.layout.levels > 1 and window == 1:
            get_logger().once(
                f"the domain has {program.layout.levels} time levels; each step sees one of them, drawn at random. "
                "solve(min_consecutive=None) uses all levels in every step"
            )

    def _announce(
        self, callbacks: list[Callback], program: Program, state: TrainState, frozen: Any, batchsize: int | None
    ) -> None:
        for callback in callbacks:
            callback.on_solve_begin(
                compiled_constraints_fn=program,
                n_constraints=len(self._constraints),
                batchsize=batchsize,
                frozen=frozen,
                static=eqx.filter(frozen, eqx.is_array, inverse=True),
                trainable=state.parameters,
                context=self._domain.context,
                rng=state.key,
                min_consecutive=program.window,
                constraint_exprs=self._constraints,
                constraint_names=self._names(),
                all_ops=[*self._constraints, *self._trackers],
                domain=self._domain,
            )


def _split(models: Sequence[Model], groups: Sequence[OptimizerGroup]) -> tuple[dict[int, Any], dict[int, Any]]:
    """Trained leaves by model (fresh copies: the step may reuse their memory) and modules without them."""
    trained: dict[int, Any] = {}
    for group in groups:
        selected = group.selected
        if group.layer_id in trained:
            selected = jax.tree_util.tree_map(lambda a, b: a or b, trained[group.layer_id], selected)
        trained[group.layer_id] = selected
    parameters, frozen = {}, {}
    for model in models:
        if model.layer_id in trained:
            own, frozen[model.layer_id] = eqx.partition(model.module, trained[model.layer_id])
            parameters[model.layer_id] = jax.tree_util.tree_map(jnp.array, own)
        else:
            frozen[model.layer_id] = model.module
    return parameters, frozen


def _merge(frozen: dict[int, Any], parameters: dict[int, Any]) -> dict[int, Any]:
    """Whole modules by model id."""
    return {i: eqx.combine(parameters[i], rest) if i in parameters else rest for i, rest in frozen.items()}


def _counts(models: Sequence[Model], parameters: dict[int, Any]) -> dict[str, int]:
    total = sum(leaf.size for m in models for leaf in jax.tree_util.tree_leaves(eqx.filter(m.module, eqx.is_array)))
    trained = sum(leaf.size for leaf in jax.tree_util.tree_leaves(parameters))
    return {"trainable_params": trained, "frozen_params": total - trained, "total_params": total, "lora_params": 0}


def _check_options(epochs: Any, batchsize: Any, inner_steps: Any, domain: Any) -> None:
    for name, value in (("epochs", epochs), ("inner_steps", inner_steps)):
        if not is_positive(value):
            raise ValueError(f"{name}={value!r}: it must be an integer of at least 1")
    if epochs % inner_steps:
        raise ValueError(f"inner_steps={inner_steps} does not divide epochs={epochs}")
    samples = domain.total_samples
    if batchsize is not None and (not is_positive(batchsize) or batchsize > samples):
        raise ValueError(
            f"batchsize={batchsize!r}: it counts samples of the domain (n * domain), not points, and must be an "
            f"integer from 1 to {samples}"
        )


def is_positive(value: Any) -> bool:
    """Whether ``value`` is an integer of at least 1 (``True`` is not)."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_callbacks(callbacks: list[Any]) -> None:
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(f"callbacks must be jno.utils.callbacks.Callback instances, got {type(callback).__name__}")
        if type(callback).on_before_update is not Callback.on_before_update:
            raise NotImplementedError(
                f"{type(callback).__name__}.on_before_update: replacing gradients is not available in this version"
            )
