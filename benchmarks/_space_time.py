"""Steps on points with times of their own, relative to the same points in a rectangle of which time is a coordinate."""

from __future__ import annotations

from typing import Any

import jno

from ._case import Built, Size
from ._measure import Effort, interleaved, ratio
from ._runners import Runner, SolveRunner
from .problems._parts import mlp

_SIZE = Size(points=2000, width=32)
_RECTANGLE = "rectangle"


def space_time_row() -> dict[str, Any]:
    """Ratios by processor time: points of space and time, fixed and drawn in every step, and causal weights."""
    fresh = jno.sampler.random(1, 1.0, 0)
    runners: dict[str, Runner] = {
        _RECTANGLE: _runner(None, as_coordinate=True),
        "own times": _runner(None),
        "own times, new in every step": _runner(fresh),
        "own times, causal weights": _runner(None, causal=True),
    }
    blocks = interleaved(runners, Effort())
    reference = blocks.pop(_RECTANGLE)
    return {f"heat: {name} / {_RECTANGLE}": ratio(steps, reference).processor for name, steps in blocks.items()}


def _runner(strategy: Any, *, as_coordinate: bool = False, causal: bool = False) -> SolveRunner:
    """The heat equation in one dimension."""
    sample = (_SIZE.points, "sobol")
    if as_coordinate:
        domain = jno.domain.box([0.0, 0.0], [1.0, 1.0])
        x, t, _ = domain.variable("interior", sample, strategy)
    else:
        domain = jno.domain.box(0.0, 1.0, time=(0.0, 1.0))
        x, t = domain.variable("interior", sample, strategy)
    net, weights = mlp(_SIZE)
    u = jno.np.sin(jno.np.pi * x) + t * x * (1 - x) * net(x, t)
    residual = u.d(t) - 0.1 * u.d2(x)
    crux = jno.core([(jno.fn.causal(residual, t) if causal else residual).mse])
    return SolveRunner(Built(crux, None, weights, {}), _SIZE)
