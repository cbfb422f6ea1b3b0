"""How long it takes to mesh and to connect the nodes."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import jno

_REPETITIONS = 5


def domain_row() -> dict[str, Any]:
    """Build times with connectivity, and how the time for connectivity grows with ten times the nodes."""
    rectangle, connect = _seconds(lambda: jno.domain.rect(mesh_size=0.01))
    _, connect_more = _seconds(lambda: jno.domain.rect(mesh_size=0.01 / math.sqrt(10)))
    cube, _ = _seconds(lambda: jno.domain.cube(mesh_size=0.05))
    return {
        "rect h=0.01 s": rectangle,
        "cube h=0.05 s": cube,
        "connectivity of 10 x the nodes of rect, times as long": connect_more / connect,
    }


def _seconds(build: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds for the domain with its connectivity, and for the connectivity alone."""
    totals, parts = [], []
    for _ in range(_REPETITIONS):
        begin = time.perf_counter()
        domain = build()
        meshed = time.perf_counter()
        dict(domain.mesh_connectivity)
        end = time.perf_counter()
        totals.append(end - begin)
        parts.append(end - meshed)
    return statistics.median(totals), statistics.median(parts)
