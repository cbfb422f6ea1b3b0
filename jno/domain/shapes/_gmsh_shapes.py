"""Geometries of the shapes that gmsh meshes, with their arguments checked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from ..geometry._geometry import Geometry
from ._plane import Plane, mesh_plane
from ._shapes import checked_count, checked_range, checked_size

_WORDS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_SIDES = ("bottom", "right", "top", "left")
_L_SIDES = ("bottom", "right_lower", "inner_horizontal", "inner_vertical", "top", "left")
_HOLE_KEYS = ("origin", "size", "type")


def _word(number: int) -> str:
    return _WORDS[number] if number < len(_WORDS) else str(number + 1)


def _checked_pair(name: str, values: Any) -> tuple[float, float]:
    pair = tuple(values) if isinstance(values, (tuple, list, np.ndarray)) else ()
    if len(pair) != 2 or not all(isinstance(v, Real) and isfinite(v) for v in pair):
        raise ValueError(f"{name} must be two finite numbers; got {values!r}.")
    return float(pair[0]), float(pair[1])


def _checked_length(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool) or not 0.0 < float(value) < float("inf"):
        raise ValueError(f"{name} must be a positive finite number; got {value!r}.")
    return float(value)


def _corners(vertices: Any, shape: str, expected: str) -> Float[np.ndarray, ...]:
    try:
        return np.array(vertices, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The vertices of {shape}() {expected}; got {vertices!r}.") from error


def _checked_vertices(vertices: Any, shape: str) -> Float[np.ndarray, "K 2"]:
    """The corners counter-clockwise, beginning with the highest (of several: the rightmost) one."""
    from shapely import Polygon
    from shapely.validation import explain_validity

    expected = "must be an array (K, 2) of at least three finite corners"
    corners = _corners(vertices, shape, expected)
    if corners.ndim == 2 and len(corners) > 3 and np.array_equal(corners[0], corners[-1]):
        corners = corners[:-1]
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.all(np.isfinite(corners)):
        raise ValueError(f"The vertices of {shape}() {expected}; got an array of shape {np.shape(vertices)}.")
    polygon = Polygon(corners)
    if not polygon.is_valid or polygon.area == 0.0:
        raise ValueError(f"The vertices of {shape}() are no simple polygon: {explain_validity(polygon)}.")
    if np.any(np.all(corners == np.roll(corners, -1, axis=0), axis=1)):
        raise ValueError(f"The vertices of {shape}() repeat a corner, which gives an edge of length zero.")
    if not polygon.exterior.is_ccw:
        corners = corners[::-1]
    return np.roll(corners, -int(np.lexsort((corners[:, 0], corners[:, 1]))[-1]), axis=0)


def polygon_geometry(vertices: Any, mesh_size: Any, algorithm: int, shape: str = "polygon") -> Geometry:
    """A simple polygon with numbered edges."""
    corners, size = _checked_vertices(vertices, shape), checked_size(mesh_size)
    count = len(corners)
    plane = Plane()
    # counter-clockwise the first edge is "one", and the last one "two": the numbers go clockwise
    words = [_word((count - i) % count) for i in range(count)]
    plane.surface(plane.ring(corners))
    plane.names = {(1, words.index(_word(i)) + 1): (_word(i),) for i in range(count)}
    return mesh_plane(plane, size, algorithm, shape)


def triangle_geometry(vertices: Any, mesh_size: Any, algorithm: int) -> Geometry:
    """A polygon with three corners."""
    corners = _corners(vertices, "triangle", "must be three corners (x, y)")
    if corners.shape != (3, 2):
        raise ValueError(f"triangle() needs exactly three vertices (x, y); got an array of shape {corners.shape}.")
    return polygon_geometry(corners, mesh_size, algorithm, "triangle")


def disk_geometry(center: Any, radius: Any, mesh_size: Any, num_points: Any, algorithm: int) -> Geometry:
    """A regular polygon inscribed in a circle."""
    x, y = _checked_pair("center", center)
    length, size = _checked_length("radius", radius), checked_size(mesh_size)
    angle = 2.0 * np.pi * np.arange(checked_count("num_points", num_points, 3)) / num_points
    plane = Plane()
    plane.surface(plane.ring(np.stack([x + length * np.cos(angle), y + length * np.sin(angle)], axis=1)))
    return mesh_plane(plane, size, algorithm, "disk")


def l_shape_geometry(size: Any, mesh_size: Any, separate_boundary: bool, algorithm: int) -> Geometry:
    """A square without its upper right quarter."""
    full, h = _checked_length("size", size), checked_size(mesh_size)
    half = full / 2.0
    corners = np.array([(0.0, 0.0), (full, 0.0), (full, half), (half, half), (half, full), (0.0, full)])
    plane = Plane()
    plane.surface(plane.ring(corners, [(name,) for name in _L_SIDES] if separate_boundary else ()))
    return mesh_plane(plane, h, algorithm, "l_shape")


def _box(low: tuple[float, float], high: tuple[float, float]) -> Float[np.ndarray, "4 2"]:
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])])


def hole_geometry(outer_size: Any, hole_size: Any, mesh_size: Any, separate_boundary: bool, algorithm: int) -> Geometry:
    """A square with a square hole in its centre."""
    outer, hole, h = (
        _checked_length("outer_size", outer_size),
        _checked_length("hole_size", hole_size),
        checked_size(mesh_size),
    )
    if hole >= outer:
        raise ValueError(f"hole_size={hole_size!r} must be smaller than outer_size={outer_size!r}.")
    low, high = (outer - hole) / 2.0, (outer + hole) / 2.0
    plane = Plane()
    sides = [(name,) for name in _SIDES]
    hole_sides = [(f"_{name}", "_boundary", f"hole_{name}", "hole_boundary") for name in _SIDES]
    rim = plane.ring(_box((0.0, 0.0), (outer, outer)), sides if separate_boundary else ())
    inner = plane.ring(_box((low, low), (high, high)), hole_sides if separate_boundary else ())
    plane.surface(rim, inner)
    return mesh_plane(plane, h, algorithm, "rectangle_with_hole")


Hole = tuple[tuple[float, float], tuple[float, float], str]


def _checked_hole(number: int, hole: Any, outer: tuple[float, float]) -> Hole:
    """Lower left corner, upper right corner and type of one entry of `holes`."""
    if not isinstance(hole, Mapping) or set(hole) - set(_HOLE_KEYS) or not {"origin", "size"} <= set(hole):
        raise ValueError(f"holes[{number}] must be a dict with origin, size and, if wanted, type; got {hole!r}.")
    low = _checked_pair(f"holes[{number}]['origin']", hole["origin"])
    size = hole["size"]
    width, height = (size, size) if isinstance(size, Real) else _checked_pair(f"holes[{number}]['size']", size)
    high = (
        low[0] + _checked_length(f"holes[{number}]['size']", width),
        low[1] + _checked_length(f"holes[{number}]['size']", height),
    )
    if min(low) <= 0.0 or high[0] >= outer[0] or high[1] >= outer[1]:
        raise ValueError(f"holes[{number}] from {low} to {high} must lie inside the rectangle (0, 0) to {outer}.")
    kind = hole.get("type", "hole")
    if not isinstance(kind, str) or not kind:
        raise ValueError(f"holes[{number}]['type'] must be a non-empty string; got {kind!r}.")
    return low, high, kind


def _check_apart(holes: list[Hole]) -> None:
    for (i, (low, high, _)), (j, (other_low, other_high, _)) in combinations(enumerate(holes), 2):
        if all(low[k] <= other_high[k] and other_low[k] <= high[k] for k in (0, 1)):
            raise ValueError(f"holes[{i}] and holes[{j}] touch or overlap; the holes must be apart from each other.")


def holes_geometry(outer_size: Any, holes: Any, mesh_size: Any, separate_boundary: bool, algorithm: int) -> Geometry:
    """A rectangle with rectangular holes; `boundary` is the outer one only."""
    pair = _checked_pair("outer_size", outer_size)
    outer = (_checked_length("outer_size[0]", pair[0]), _checked_length("outer_size[1]", pair[1]))
    if holes is not None and not isinstance(holes, (list, tuple)):
        raise ValueError(f"holes must be a list of dicts with origin, size and type; got {holes!r}.")
    cut = [_checked_hole(number, hole, outer) for number, hole in enumerate(holes or ())]
    _check_apart(cut)
    size = checked_size(mesh_size)
    plane = Plane()
    sides = [("boundary", name) if separate_boundary else ("boundary",) for name in _SIDES]
    loops = [plane.ring(_box((0.0, 0.0), outer), sides)]
    for low, high, kind in cut:
        own = [(f"{kind}_boundary", f"{kind}_{name}") if separate_boundary else () for name in _SIDES]
        names = [tuple(dict.fromkeys(("hole_boundary", *owned))) for owned in own]
        loops.append(plane.ring(_box(low, high), names))
    plane.surface(*loops)
    return mesh_plane(plane, size, algorithm, "rectangle_with_holes")


def pml_geometry(x_range: Any, y_range: Any, mesh_size: Any, thickness: tuple[Any, Any], algorithm: int) -> Geometry:
    """A rectangle between two absorbing layers; `interior`, `boundary` and the sides are those of the rectangle."""
    x0, x1 = sorted(checked_range("x_range", x_range))
    y0, y1 = sorted(checked_range("y_range", y_range))
    top = _checked_length("pml_thickness_top", thickness[0])
    bottom = _checked_length("pml_thickness_bottom", thickness[1])
    size = checked_size(mesh_size)
    plane = Plane()
    core = plane.ring(_box((x0, y0), (x1, y1)), [("boundary", name) for name in _SIDES])
    below = len(plane.corners)
    plane.corners += [(x0, y0 - bottom), (x1, y0 - bottom), (x1, y1 + top), (x0, y1 + top)]
    lower = (plane.edge(below, below + 1), plane.edge(below + 1, 1), -core[0], plane.edge(0, below))
    upper = (-core[2], plane.edge(2, below + 2), plane.edge(below + 2, below + 3), plane.edge(below + 3, 3))
    plane.surface(core, names=("interior",))
    plane.surface(lower, names=("pml_bottom",))
    plane.surface(upper, names=("pml_top",))
    return mesh_plane(plane, size, algorithm, "rect_pml")
