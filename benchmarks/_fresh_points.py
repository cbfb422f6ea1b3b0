"""Steps whose points are drawn anew, relative to steps with fixed points: new ones in every step, by every sampler."""

from __future__ import annotations

import functools
import math
import unittest.mock
from typing import Any

import jno

from ._case import Problem, Size
from ._measure import Effort, interleaved, ratio
from ._runners import Runner, SolveRunner
from .problems import PROBLEMS

_PROBLEMS = ("poisson2d", "ns2d")
_FIXED = "fixed"
_SAMPLERS = {name: name for name in ("uniform", "latin_hypercube", "sobol", "halton")} | {
    "graded": jno.sampler.graded("left")
}


def fresh_points_row() -> dict[str, Any]:
    """Ratios by processor time: `core.solve` with new points in every step to `core.solve` with fixed ones."""
    row: dict[str, Any] = {}
    for name in _PROBLEMS:
        problem = PROBLEMS[name]
        runners: dict[str, Runner] = {_FIXED: _runner(problem, None, "uniform")}
        every_step = jno.sampler.random(1, 1.0, 0)
        runners |= {sampler: _runner(problem, every_step, placement) for sampler, placement in _SAMPLERS.items()}
        runners["on the host"] = _runner(problem, _OnTheHost(1, 1.0, 0), "uniform")
        blocks = interleaved(runners, Effort())
        fixed = blocks.pop(_FIXED)
        row |= {f"{name}: {sampler} / fixed": ratio(steps, fixed).processor for sampler, steps in blocks.items()}
    return row


class _OnTheHost(jno.sampler.RandomResampling):
    """A strategy of the user, which compiled code does not know."""


def _runner(problem: Problem, strategy: Any, sampler: Any) -> SolveRunner:
    """The problem on points of this sampler, which the strategy replaces."""
    rectangle = functools.partial(_rectangle, strategy, sampler)
    module = problem.build.__module__
    with unittest.mock.patch(f"{module}.rectangle", rectangle):
        return SolveRunner(problem.build(problem.full), problem.full)


def _rectangle(
    strategy: Any, sampler: Any, size: Size, x_range: tuple[float, float] = (0.0, 1.0)
) -> tuple[Any, Any, Any]:
    cells = math.ceil(math.sqrt(size.points)) - 1
    domain = jno.domain.equi_distant_rect(x_range, nx=cells, ny=cells)
    x, y, _ = domain.variable("interior", (size.points, sampler), strategy)
    return domain, x, y
