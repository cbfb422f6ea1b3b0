"""Interleaved medians: A B C A B C …, so that a busy machine slows every competitor alike.

Two clocks: wall time is what a user waits; processor time of this process (all threads) hardly depends on what else
the machine does.  On an idle machine their ratios agree as long as all competitors use the same number of threads.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax

from ._case import Problem, Size
from ._runners import BARE, SOLVE, Runner, competitors, evaluators


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int = 7
    """Blocks per competitor."""
    block_seconds: float = 0.8
    compilations: int = 3
    fewest_steps: int = 2
    tiny: bool = False
    """Take the tiny sizes of the problems: the figures mean nothing."""

    def size(self, problem: Problem) -> Size:
        """The size that is measured."""
        return problem.quick if self.tiny else problem.full


BRIEF = Effort(rounds=5, block_seconds=0.3, compilations=1)
"""For a machine that is lent for minutes; what compiling takes is a single figure then."""
TINY = Effort(rounds=2, block_seconds=0.01, compilations=1, tiny=True)
"""Shows that everything runs."""


def device_clock(duration: Seconds) -> float:
    """Seconds by which blocks are cut: on a GPU the processor waits, on a busy machine the wall clock lies."""
    return duration.processor if jax.default_backend() == "cpu" else duration.wall


@dataclasses.dataclass(frozen=True)
class Seconds:
    """One duration by both clocks."""

    wall: float
    processor: float

    def per(self, count: int) -> Seconds:
        """The share of one of ``count``."""
        return Seconds(self.wall / count, self.processor / count)


@dataclasses.dataclass(frozen=True)
class Row:
    """One competitor on one problem."""

    build: Seconds
    """Domain, graph, shape checks; for kernels this builds the jNO problem too, whose points they use."""
    compile: Seconds
    """First step minus a steady step."""
    blocks: list[Seconds]
    """Per step, one entry per round."""
    temporary_bytes: int | None

    @property
    def step(self) -> Seconds:
        """Median steady step."""
        return median(self.blocks)


def median(durations: list[Seconds]) -> Seconds:
    """By each clock."""
    return Seconds(statistics.median(d.wall for d in durations), statistics.median(d.processor for d in durations))


class _Clocks:
    """Both clocks at the time of construction."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def elapsed(self) -> Seconds:
        return Seconds(time.perf_counter() - self._wall, time.process_time() - self._processor)


def timed(work: Callable[[], Any]) -> Seconds:
    """Duration of ``work``."""
    begin = _Clocks()
    work()
    return begin.elapsed()


def ratio(blocks: list[Seconds], others: list[Seconds]) -> Seconds:
    """How many times longer a step of ``blocks`` takes: median over rounds of the ratio within a round."""
    pairs = zip(blocks, others, strict=True)
    return median([Seconds(a.wall / b.wall, a.processor / b.processor) for a, b in pairs])


def fastest(rows: Mapping[str, Row], prefix: str) -> str:
    """The name of the fastest row whose name begins with ``prefix``."""
    return min((name for name in rows if name.startswith(prefix)), key=lambda name: rows[name].step.processor)


def measure(problem: Problem, effort: Effort) -> dict[str, Row]:
    """Every competitor on a problem."""
    contestants = competitors(problem)
    builds: dict[str, list[Seconds]] = {c.name: [] for c in contestants}
    firsts: dict[str, list[Seconds]] = {c.name: [] for c in contestants}
    runners: dict[str, Runner] = {}
    for _ in range(effort.compilations):
        for contestant in contestants:
            begin = _Clocks()
            runner = contestant.start(effort.size(problem))
            builds[contestant.name].append(begin.elapsed())
            firsts[contestant.name].append(timed(functools.partial(runner.advance, 1)))
            runners[contestant.name] = runner
    blocks = interleaved(runners, effort)
    rows = {}
    for name, runner in runners.items():
        first, steady = median(firsts[name]), median(blocks[name])
        compilation = Seconds(first.wall - steady.wall, first.processor - steady.processor)
        rows[name] = Row(median(builds[name]), compilation, blocks[name], runner.temporary_bytes())
    return rows


def interleaved(runners: Mapping[str, Runner], effort: Effort) -> dict[str, list[Seconds]]:
    """Duration of a step, one entry per round.  The order is reversed in every second round."""
    steps = {name: _block_steps(runner, effort) for name, runner in runners.items()}
    blocks: dict[str, list[Seconds]] = {name: [] for name in runners}
    for number in range(effort.rounds):
        order = list(runners)[:: 1 if number % 2 == 0 else -1]
        for name in order:
            count = steps[name]
            blocks[name].append(timed(functools.partial(runners[name].advance, count)).per(count))
    return blocks


def _block_steps(runner: Runner, effort: Effort) -> int:
    """Steps of a block, from calls long enough that what a call costs besides its steps does not count."""
    count = effort.fewest_steps
    while True:
        runner.advance(count)  # calls of another length may compile something
        duration = device_clock(timed(functools.partial(runner.advance, count)))
        if duration >= effort.block_seconds / 4:
            return max(effort.fewest_steps, round(count * effort.block_seconds / max(duration, 1e-9)))
        count *= 4


def measure_evaluation(problem: Problem, effort: Effort) -> dict[str, Seconds]:
    """Duration of evaluating the field at all points of all samples, by name of the evaluator."""
    functions = evaluators(problem, effort.size(problem))
    for function in functions.values():
        jax.block_until_ready(function())
    found: dict[str, list[Seconds]] = {name: [] for name in functions}
    for _ in range(effort.rounds):
        for name, function in functions.items():
            found[name].append(_per_call(function, effort))
    return {name: median(durations) for name, durations in found.items()}


def _per_call(function: Callable[[], Any], effort: Effort) -> Seconds:
    once = timed(lambda: jax.block_until_ready(function()))
    calls = max(effort.fewest_steps, round(effort.block_seconds / 10 / once.wall))
    return timed(lambda: [jax.block_until_ready(function()) for _ in range(calls)]).per(calls)


def measure_overhead(problem: Problem, size: Size, effort: Effort) -> dict[str, list[Seconds]]:
    """Blocks of `core.solve` and of the bare loop over the same compiled loss."""
    runners = {c.name: c.start(size) for c in competitors(problem) if c.name in (SOLVE, BARE)}
    return interleaved(runners, effort)
