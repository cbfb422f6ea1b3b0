"""Steps whose points are drawn anew, relative to steps with fixed points: new ones in every step, by every sampler."""

from __future__ import annotations

import functools
import math
import unittest.mock
from typing import Any

import jno

from ._case import Problem, Size
from ._measure import Effort, device_clock, interleaved, ratio
from ._runners import Runner, SolveRunner
from .problems import PROBLEMS

_PROBLEMS = ("poisson2d", "ns2d")
_FIXED = "fixed"
_SAMPLERS = {name: name for name in ("uniform", "latin_hypercube", "sobol", "halton")} | {
    "graded": jno.sampler.graded("left")
}


def fresh_points_row(effort: Effort | None = None) -> dict[str, Any]:
    """Ratios of `core.solve` with new points in every step to `core.solve` with fixed ones.

    They are of processor time, on a GPU of wall time.
    """
    effort = effort or Effort()
    row: dict[str, Any] = {}
    for name in _PROBLEMS:
        problem = PROBLEMS[name]
        runners: dict[str, Runner] = {_FIXED: _runner(problem, effort, None, "uniform")}
        every_step = jno.sampler.random(1, 1.0, 0)
        runners |= {sampler: _runner(problem, effort, every_step, placed) for sampler, placed in _SAMPLERS.items()}
        runners["on the host"] = _runner(problem, effort, _OnTheHost(1, 1.0, 0), "uniform")
        blocks = interleaved(runners, effort)
        fixed = blocks.pop(_FIXED)
        row |= {f"{name}: {sampler} / fixed": device_clock(ratio(steps, fixed)) for sampler, steps in blocks.items()}
    return row


class _OnTheHost(jno.sampler.RandomResampling):
    """A strategy of the user, which compiled code does not know."""


def _runner(problem: Problem, effort: Effort, strategy: Any, sampler: Any) -> SolveRunner:
    """The problem on points of this sampler, which the strategy replaces."""
    rectangle = functools.partial(_rectangle, strategy, sampler)
    module = problem.build.__module__
    with unittest.mock.patch(f"{module}.rectangle", rectangle):
        return SolveRunner(problem.build(effort.size(problem)), effort.size(problem))


def _rectangle(
    strategy: Any, sampler: Any, size: Size, x_range: tuple[float, float] = (0.0, 1.0)
) -> tuple[Any, Any, Any]:
    cells = math.ceil(math.sqrt(size.points)) - 1
    domain = jno.domain.equi_distant_rect(x_range, nx=cells, ny=cells)
    x, y, _ = domain.variable("interior", (size.points, sampler), strategy)
    return domain, x, y
