"""The competitors: everything that can train a problem."""

from __future__ import annotations

import dataclasses
import unittest.mock
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp

import jno
from jno.training._step import Step

from ._case import Built, Kernel, Problem, Size
from ._steps import BareLoop
from .libraries import Start, starts

SOLVE = "jno solve"
BARE = "jno bare step"
EVAL = "jno eval"
FORWARD = "kernel"


class Runner(Protocol):
    """Training that can be continued."""

    def advance(self, count: int) -> None:
        """Finish ``count`` steps."""

    def losses(self, count: int) -> list[float]:
        """Losses of the next ``count`` steps, each before its update."""

    def temporary_bytes(self) -> int | None:
        """Temporary memory of one step, if known."""


@dataclasses.dataclass(frozen=True)
class Competitor:
    """How one competitor starts on a problem; ``start`` does everything but the first step."""

    name: str
    start: Callable[[Size], Runner]


def competitors(problem: Problem) -> list[Competitor]:
    """Who runs a problem.  All start from the same weights and use the same points and the same optimizer."""
    return [
        Competitor(SOLVE, lambda size: SolveRunner(problem.build(size), size)),
        Competitor(BARE, lambda size: _bare(problem.build(size), size)),
        *(Competitor(name, _kernel_start(problem, kernel)) for name, kernel in problem.kernels.items()),
        *(Competitor(name, _library_start(problem, start)) for name, start in starts(problem.id).items()),
    ]


class SolveRunner:
    """``core.solve`` as a user calls it."""

    def __init__(self, built: Built, size: Size) -> None:
        self._crux, self._batch = built.crux, size.batch

    def advance(self, count: int) -> None:
        self._crux.solve(count, batchsize=self._batch)

    def losses(self, count: int) -> list[float]:
        history = self._crux.solve(count, batchsize=self._batch).total_loss_history
        return [float(value) for value in history[-count:]]

    def temporary_bytes(self) -> int | None:
        step, state, data = traced_step(lambda: self.advance(1))
        analysis = step.compiled(state, data).memory_analysis()
        return None if analysis is None else int(analysis.temp_size_in_bytes)


def traced_step(train: Callable[[], object]) -> tuple[Step, Any, Any]:
    """The compiled epochs that a training runs first, their state and their data."""
    steps: list[Any] = []
    original = Step.run

    def run(step: Step, state: Any, data: Any, count: int) -> Any:
        steps.append((step, state, data))
        return original(step, state, data, count)

    with unittest.mock.patch.object(Step, "run", run):
        train()
    return steps[0]


class _Capture(jno.utils.Callback):
    """Keeps what `core.solve` hands to callbacks: the compiled constraints."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def on_solve_begin(self, **keywords: Any) -> None:
        self.found = keywords
        raise _CapturedError


class _CapturedError(Exception):
    """Leaves `core.solve` before the first step."""


def _bare(built: Built, size: Size) -> BareLoop:
    """jNO's compiled loss in the same bare loop as the kernels: what is left of `solve` without its loop."""
    capture = _Capture()
    try:
        built.crux.solve(1, batchsize=size.batch, callbacks=[capture])
    except _CapturedError:
        program = capture.found["compiled_constraints_fn"]
    modules = built.crux.models
    weights, rest = eqx.partition(modules, eqx.is_inexact_array)

    def loss(trained: Any, data: Mapping[Any, Any], key: Any) -> Any:
        values = program(eqx.combine(trained, rest), data, key)
        return jnp.mean(jnp.stack([jnp.mean(value) for value in values]))

    return BareLoop(loss, weights, program.data, program.layout.batched, size.batch)


def _kernel_start(problem: Problem, kernel: Kernel) -> Callable[[Size], BareLoop]:
    def start(size: Size) -> BareLoop:
        built = problem.build(size)
        return BareLoop(
            lambda weights, data, key: kernel(weights, data),
            built.weights,
            built.data,
            built.per_sample,
            size.batch,
        )

    return start


def _library_start(problem: Problem, start: Start) -> Callable[[Size], Runner]:
    return lambda size: start(problem.build(size))


def evaluators(problem: Problem, size: Size) -> dict[str, Callable[[], Any]]:
    """Evaluation of the field at all points of all samples, by name."""
    built = problem.build(size)
    kernel = jax.jit(problem.forward)
    return {
        EVAL: lambda: built.crux.eval(built.field),
        FORWARD: lambda: kernel(built.weights, built.data),
    }
