"""How long it takes to mesh, to connect the nodes, to draw points and to compute view factors."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import jno

_REPETITIONS = 5
_SIDES = ("bottom", "right", "top", "left")


def domain_row() -> dict[str, Any]:
    """Seconds, and how the time for connectivity grows with ten times the nodes."""
    connect = [_seconds(_connect, _rect(mesh_size)) for mesh_size in (0.01, 0.01 / math.sqrt(10))]
    plate = _plate()
    return {
        "rect h=0.01 with connectivity s": _seconds(lambda: _connect(jno.domain.rect(mesh_size=0.01))),
        "cube h=0.05 with connectivity s": _seconds(lambda: _connect(jno.domain.cube(mesh_size=0.05))),
        "connectivity of 10 x the nodes of rect, times as long": connect[1] / connect[0],
        "10^6 points of a plate with three holes s": _seconds(lambda: plate.copy().variable("interior", (10**6, None))),
        "view factors of 4 x 200 points s": _seconds(jno.domain.csg.compute_enclosure_view_factor, _cavity),
        **_plate_mesh(),
    }


def _seconds(work: Callable[..., Any], prepare: Callable[[], tuple[Any, ...]] = tuple) -> float:
    """Median seconds of ``work(*prepare())``, without the preparation."""
    found = []
    for _ in range(_REPETITIONS):
        arguments = prepare()
        begin = time.perf_counter()
        work(*arguments)
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def _rect(mesh_size: float) -> Callable[[], tuple[Any]]:
    return lambda: (jno.domain.rect(mesh_size=mesh_size),)


def _connect(domain: Any) -> Any:
    return domain.mesh_connectivity  # computed when it is asked for


def _plate() -> Any:
    from shapely.geometry import Point, box

    holes = [Point(x, y).buffer(0.5) for x, y in ((1, 1), (3, 1), (2, 3))]
    return jno.domain(box(0, 0, 4, 4) - holes[0] - holes[1] - holes[2])


def _plate_mesh() -> dict[str, float]:
    """The same plate meshed, where gmsh is installed."""
    try:
        seconds = _seconds(lambda: _plate().build_mesh(0.05))
    except ImportError:
        return {}
    return {"plate with three holes h=0.05 meshed s": seconds}


def _cavity() -> tuple[Any, list[str]]:
    cavity = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)], name="gas")
    for side in _SIDES:
        cavity.variable(side, sample=(200, "equispaced"), normals=True)
    return cavity, list(_SIDES)
