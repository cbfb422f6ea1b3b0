"""The plane shapes that gmsh meshes: `polygon`, `triangle`, `disk`, `l_shape`, `rectangle_with_hole(s)`, `rect_pml`.

The same arguments give the same mesh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from typing import Unpack

import numpy as np
from jaxtyping import Float

from jno.utils import FLAG, checked

from .. import _shapely as shapely
from ..geometry import Geometry
from ..mesh import check_nodes
from ._checks import checked_count, checked_length, checked_pair, checked_range, checked_size
from ._constructor import Constructor, MeshOptions
from ._plane import Plane, mesh_plane

_TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
_WORDS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_SIDES = ("bottom", "right", "top", "left")
_L_SIDES = ("bottom", "right_lower", "inner_horizontal", "inner_vertical", "top", "left")
_HOLE_KEYS = ("origin", "size", "type")


def _word(number: int) -> str:
    return _WORDS[number] if number < len(_WORDS) else str(number + 1)


def _corners(vertices: object, shape: str, expected: str) -> Float[np.ndarray, ...]:
    try:
        return np.array(vertices, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The vertices of {shape}() {expected}; got {vertices!r}.") from error


def _checked_vertices(vertices: object, shape: str) -> Float[np.ndarray, "K 2"]:
    """The corners counter-clockwise, beginning with the highest (of several: the rightmost) one."""
    expected = "must be an array (K, 2) of at least three finite corners"
    corners = _corners(vertices, shape, expected)
    if corners.ndim == 2 and len(corners) > 3 and np.array_equal(corners[0], corners[-1]):
        corners = corners[:-1]
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.all(np.isfinite(corners)):
        raise ValueError(f"The vertices of {shape}() {expected}; got an array of shape {np.asarray(vertices).shape}.")
    polygon = shapely.Polygon(corners)
    if not polygon.is_valid or polygon.area == 0.0:
        raise ValueError(f"The vertices of {shape}() are no simple polygon: {shapely.is_valid_reason(polygon)}.")
    if np.any(np.all(corners == np.roll(corners, -1, axis=0), axis=1)):
        raise ValueError(f"The vertices of {shape}() repeat a corner, which gives an edge of length zero.")
    if not polygon.exterior.is_ccw:
        corners = corners[::-1]
    return np.roll(corners, -int(np.lexsort((corners[:, 0], corners[:, 1]))[-1]), axis=0)


@Constructor
def polygon(vertices: object, mesh_size: object = 0.1, **options: Unpack[MeshOptions]) -> Geometry:
    """A simple polygon.

    Args:
        vertices: corners `(K, 2)`, in either sense of rotation.
        mesh_size: wanted length of the edges of the triangles (0.1).

    Returns:
        A domain with the tags `interior`, `boundary` and the edges `one`, `two`, … (from the twenty-first on: `21`,
        …). They are numbered clockwise, and `one` ends in the highest corner (of several: the rightmost), so
        that a rectangle has its top, right, bottom and left edge in this order.

    Raises:
        ValueError: an argument that is not allowed.
        ImportError: gmsh is not installed or cannot be loaded.

    Example:
        >>> import jno
        >>> sorted(jno.domain.polygon([(0, 0), (2, 0), (2, 1), (0, 1)], 0.5).tag_indices)
        ['boundary', 'four', 'interior', 'one', 'three', 'two']
    """
    return _numbered_polygon(vertices, mesh_size, options["algorithm"], "polygon")


@Constructor
def triangle(vertices: object = _TRIANGLE, mesh_size: object = 0.1, **options: Unpack[MeshOptions]) -> Geometry:
    """A triangle.

    Args:
        vertices: three corners (`((0, 0), (1, 0), (0, 1))`).
        mesh_size: wanted length of the edges of the triangles (0.1).

    Returns:
        A domain with the tags `interior`, `boundary` and the edges `one`, `two`, `three`, as in `polygon`.

    Raises:
        ValueError: an argument that is not allowed.
        ImportError: gmsh is not installed or cannot be loaded.

    Example:
        >>> import jno
        >>> float(jno.domain.triangle().quadrature("interior").weights.sum().round(12))
        0.5
    """
    corners = _corners(vertices, "triangle", "must be three corners (x, y)")
    if corners.shape != (3, 2):
        raise ValueError(f"triangle() needs exactly three vertices (x, y); got an array of shape {corners.shape}.")
    return _numbered_polygon(corners, mesh_size, options["algorithm"], "triangle")


@Constructor
def disk(
    center: object = (0.0, 0.0),
    radius: object = 1.0,
    mesh_size: object = 0.1,
    num_points: object = 32,
    **options: Unpack[MeshOptions],
) -> Geometry:
    """A disk, as the regular polygon that is inscribed in its circle.

    Args:
        center: `(x, y)` (the origin).
        radius: radius of the circle (1).
        mesh_size: wanted length of the edges of the triangles (0.1).
        num_points: corners of the polygon (32). Its area is `n r² sin(2π / n) / 2`.

    Returns:
        A domain with the tags `interior` and `boundary`.

    Raises:
        ValueError: an argument that is not allowed.
        ImportError: gmsh is not installed or cannot be loaded.

    Example:
        >>> import jno
        >>> jno.domain.disk(radius=2.0, mesh_size=0.5).boundary_tags()
        ['boundary']
    """
    x, y = checked_pair("center", center)
    length, size = checked_length("radius", radius), checked_size(mesh_size)
    count = checked_count("num_points", num_points, 3)
    check_nodes(count, f"num_points={count}")
    angle = 2.0 * np.pi * np.arange(count) / count
    plane = Plane()
    plane.surface(plane.ring(np.stack([x + length * np.cos(angle), y + length * np.sin(angle)], axis=1)))
    return mesh_plane(plane, size, options["algorithm"], "disk")


@Constructor
@checked(separate_boundary=FLAG)
def l_shape(
    size: object = 1.0, mesh_size: object = 0.1, separate_boundary: bool = False, **options: Unpack[MeshOptions]
) -> Geometry:
    """The square `[0, size]²` without its upper right quarter.

    Args:
        size: side of the square (1).
        mesh_size: wanted length of the edges of the triangles (0.1).
        separate_boundary: also name the sides (False).

    Returns:
        A domain with the tags `interior` and `boundary`, with `separate_boundary` also `bottom`, `right_lower`,
        `inner_horizontal`, `inner_vertical`, `top`, `left`.

    Raises:
        ValueError: an argument that is not allowed.
        ImportError: gmsh is not installed or cannot be loaded.

    Example:
        >>> import jno
        >>> float(jno.domain.l_shape(2.0).quadrature("interior").weights.sum().round(12))
        3.0
    """
    full, h = checked_length("size", size), checked_size(mesh_size)
    half = full / 2.0
    corners = np.array([(0.0, 0.0), (full, 0.0), (full, half), (half, half), (half, full), (0.0, full)])
    plane = Plane()
    plane.surface(plane.ring(corners, [(name,) for name in _L_SIDES] if separate_boundary else ()))
    return mesh_plane(plane, h, options["algorithm"], "l_shape")


@Constructor
@checked(separate_boundary=FLAG)
def rectangle_with_hole(
    outer_size: object = 1.0,
    hole_size: object = 0.4,
    mesh_size: object = 0.1,
    separate_boundary: bool = False,
    **options: Unpack[MeshOptions],
) -> Geometry:
    """The square `[0, outer_size]²` with a square hole in its centre.

    Args:
        outer_size: side of the square (1).
        hole_size: side of the hole (0.4).
        mesh_size: wanted length of the edges of the triangles (0.1).
        separate_boundary: also name the sides (False).

    Returns:
        A domain with the tags `interior` and `boundary` (of the square and the hole), with `separate_boundary` also
        `bottom`, `right`, `top`, `left` of the square and `hole_bottom`, …, `hole_boundary` of the hole, which
        are called `_bottom`, …, `_boundary` as well.

    Raises:
        ValueError: an argument that is not allowed.
        ImportError: gmsh is not installed or cannot be loaded.

    Example:
        >>> import jno
        >>> d = jno.domain.rectangle_with_hole(separate_boundary=True)
        >>> float(d.quadrature("hole_boundary").weights.sum().round(12))
        1.6
    """
    outer, hole, h = (
        checked_length("outer_size", outer_size),
        checked_length("hole_size", hole_size),
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
    return mesh_plane(plane, h, options["algorithm"], "rectangle_with_hole")


@Constructor
@checked(separate_boundary=FLAG)
def rectangle_with_holes(
    outer_size: object = (2.0, 1.0),
    holes: object = None,
    mesh_size: object = 0.1,
    separate_boundary: bool = True,
    **options: Unpack[MeshOptions],
) -> Geometry:
    """The rectangle `[0, width] x [0, height]` with rectangular holes.

    Args:
        outer_size: `(width, height)` (`(2, 1)`).
        holes: dicts with `origin` (lower left corner), `size` (a number or `(width, height)`) and `type` (a
            name, `"hole"` unless given); they lie inside the rectangle and apart from each other (no holes).
        mesh_size: wanted length of the edges of the triangles (0.1).
        separate_boundary: also name the sides (True).

    Returns:
        A domain with the tags `interior`, `boundary` (of the rectangle only) and `hole_boundary`, with
        `separate_boundary` also `bottom`, `right`, `top`, `left` of the rectangle and `<type>_boundary`,
        `<type>_bottom`, … of the holes.

    Raises:
        ValueError: an argument that is not allowed.
        ImportError: gmsh is not installed or cannot be loaded.

    Example:
        >>> import jno
        >>> d = jno.domain.rectangle_with_holes(holes=[{"origin": (0.4, 0.4), "size": 0.2, "type": "pipe"}])
        >>> float(d.quadrature("pipe_boundary").weights.sum().round(12))
        0.8
    """
    pair = checked_pair("outer_size", outer_size)
    outer = (checked_length("outer_size[0]", pair[0]), checked_length("outer_size[1]", pair[1]))
    if holes is not None and not isinstance(holes, (list, tuple)):
        raise ValueError(f"holes must be a list of dicts with origin, size and type; got {holes!r}.")
    cut = [_checked_hole(number, hole, outer) for number, hole in enumerate(holes or ())]
    _check_apart(cut)
    size = checked_size(mesh_size)
    plane = Plane()
    sides = [("boundary", name) if separate_boundary else ("boundary",) for name in _SIDES]
    loops = [plane.ring(_box((0.0, 0.0), outer), sides)]
    for hole in cut:
        named = [(f"{hole.kind}_boundary", f"{hole.kind}_{name}") if separate_boundary else () for name in _SIDES]
        # a hole of the kind "hole" has its boundary twice
        names = [tuple(dict.fromkeys(("hole_boundary", *tags))) for tags in named]
        loops.append(plane.ring(_box(hole.low, hole.high), names))
    plane.surface(*loops)
    return mesh_plane(plane, size, options["algorithm"], "rectangle_with_holes")


@Constructor
def rect_pml(
    x_range: object = (0.0, 1.0),
    y_range: object = (0.0, 1.0),
    mesh_size: object = 0.1,
    pml_thickness_top: object = 0.2,
    pml_thickness_bottom: object = 0.2,
    **options: Unpack[MeshOptions],
) -> Geometry:
    """A rectangle between two layers, e.g. perfectly matched (absorbing) ones, above and below it.

    Args:
        x_range: `(left, right)` (`(0, 1)`).
        y_range: `(bottom, top)` of the rectangle without the layers (`(0, 1)`).
        mesh_size: wanted length of the edges of the triangles (0.1).
        pml_thickness_top: thickness of the layer above `y_range` (0.2).
        pml_thickness_bottom: thickness of the layer below (0.2).

    Returns:
        A domain with the tags `interior`, `boundary` and `bottom`, `right`, `top`, `left`, all of the rectangle
        only, with normals that point out of it, and the layers `pml_bottom` and `pml_top`.

    Raises:
        ValueError: an argument that is not allowed.
        ImportError: gmsh is not installed or cannot be loaded.

    Example:
        >>> import jno
        >>> d = jno.domain.rect_pml()
        >>> [float(d.quadrature(tag).weights.sum().round(12)) for tag in ("interior", "boundary", "pml_top")]
        [1.0, 4.0, 0.2]
    """
    x0, x1 = sorted(checked_range("x_range", x_range))
    y0, y1 = sorted(checked_range("y_range", y_range))
    top = checked_length("pml_thickness_top", pml_thickness_top)
    bottom = checked_length("pml_thickness_bottom", pml_thickness_bottom)
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
    return mesh_plane(plane, size, options["algorithm"], "rect_pml")


def _numbered_polygon(vertices: object, mesh_size: object, algorithm: int, shape: str) -> Geometry:
    """A simple polygon with numbered edges."""
    corners, size = _checked_vertices(vertices, shape), checked_size(mesh_size)
    count = len(corners)
    plane = Plane()
    # counter-clockwise the first edge is "one", and the last one "two": the numbers go clockwise
    words = [_word((count - i) % count) for i in range(count)]
    plane.surface(plane.ring(corners))
    plane.names = {(1, words.index(_word(i)) + 1): (_word(i),) for i in range(count)}
    return mesh_plane(plane, size, algorithm, shape)


def _box(low: tuple[float, float], high: tuple[float, float]) -> Float[np.ndarray, "4 2"]:
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])])


@dataclass(frozen=True)
class _Hole:
    """A rectangular hole: lower left corner, upper right corner, and the name of its sides."""

    low: tuple[float, float]
    high: tuple[float, float]
    kind: str


def _checked_hole(number: int, hole: object, outer: tuple[float, float]) -> _Hole:
    """One entry of `holes`."""
    if not isinstance(hole, Mapping) or set(hole) - set(_HOLE_KEYS) or not {"origin", "size"} <= set(hole):
        raise ValueError(f"holes[{number}] must be a dict with origin, size and, if wanted, type; got {hole!r}.")
    low = checked_pair(f"holes[{number}]['origin']", hole["origin"])
    size = hole["size"]
    width, height = (size, size) if isinstance(size, Real) else checked_pair(f"holes[{number}]['size']", size)
    high = (
        low[0] + checked_length(f"holes[{number}]['size']", width),
        low[1] + checked_length(f"holes[{number}]['size']", height),
    )
    if min(low) <= 0.0 or high[0] >= outer[0] or high[1] >= outer[1]:
        raise ValueError(f"holes[{number}] from {low} to {high} must lie inside the rectangle (0, 0) to {outer}.")
    kind = hole.get("type", "hole")
    if not isinstance(kind, str) or not kind:
        raise ValueError(f"holes[{number}]['type'] must be a non-empty string; got {kind!r}.")
    return _Hole(low, high, kind)


def _check_apart(holes: list[_Hole]) -> None:
    for (i, a), (j, b) in combinations(enumerate(holes), 2):
        if all(a.low[k] <= b.high[k] and b.low[k] <= a.high[k] for k in (0, 1)):
            raise ValueError(f"holes[{i}] and holes[{j}] touch or overlap; the holes must be apart from each other.")
