"""Geometries of the axis-aligned shapes, with their arguments checked."""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from jaxtyping import Float

from ..geometry._geometry import Geometry
from ..mesh._tags import mesh_tags
from ._structured import NUMBERED_EDGES, cell_count, structured_mesh


def checked_range(name: str, values: Any) -> tuple[float, float]:
    pair = tuple(values) if isinstance(values, (tuple, list, np.ndarray)) else ()
    numbers = len(pair) == 2 and all(isinstance(v, Real) and isfinite(v) for v in pair)
    if not numbers or pair[0] == pair[1]:
        raise ValueError(f"{name} must be two different finite numbers (first, last); got {values!r}.")
    return float(pair[0]), float(pair[1])


def checked_size(mesh_size: Any) -> float:
    number = isinstance(mesh_size, Real) and not isinstance(mesh_size, bool)
    if not number or not 0.0 < float(mesh_size) < float("inf"):
        raise ValueError(f"mesh_size must be a positive finite number; got {mesh_size!r}.")
    return float(mesh_size)


def checked_count(name: str, count: Any, least: int) -> int:
    if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {count!r}.")
    return int(count)


def _sized_axis(name: str, values: Any, mesh_size: float) -> Float[np.ndarray, " n"]:
    first, last = checked_range(name, values)
    return np.linspace(first, last, cell_count(last - first, mesh_size) + 1)


def line_geometry(x_range: Any, mesh_size: Any) -> Geometry:
    """An interval."""
    size = checked_size(mesh_size)
    mesh = structured_mesh((_sized_axis("x_range", x_range, size),))
    return Geometry.from_mesh(mesh, mesh_tags(mesh), ds=size)


def rect_geometry(x_range: Any, y_range: Any, mesh_size: Any) -> Geometry:
    """A rectangle with square-like cells."""
    size = checked_size(mesh_size)
    axes = (_sized_axis("x_range", x_range, size), _sized_axis("y_range", y_range, size))
    mesh = structured_mesh(axes)
    return Geometry.from_mesh(mesh, mesh_tags(mesh, NUMBERED_EDGES), ds=size)


def grid_geometry(x_range: Any, y_range: Any, cells: tuple[int, int]) -> Geometry:
    """A rectangle with a given number of cells per direction."""
    axes = tuple(
        np.linspace(*checked_range(name, values), count + 1)
        for name, values, count in zip(("x_range", "y_range"), (x_range, y_range), cells, strict=True)
    )
    mesh = structured_mesh(axes)
    ds = min(abs(float(axis[1] - axis[0])) for axis in axes)
    shape = tuple(len(axis) for axis in axes)
    return Geometry.from_mesh(mesh, mesh_tags(mesh), ds=ds, grid_shape=shape)


def equi_distant_geometry(x_range: Any, y_range: Any, nx: Any, ny: Any) -> Geometry:
    """`nx` by `ny` cells."""
    return grid_geometry(x_range, y_range, (checked_count("nx", nx, 1), checked_count("ny", ny, 1)))


def poseidon_geometry(nx: Any, ny: Any) -> Geometry:
    """`nx` by `ny` nodes on the unit square."""
    nodes = (checked_count("nx", nx, 2), checked_count("ny", ny, 2))
    return grid_geometry((0.0, 1.0), (0.0, 1.0), (nodes[0] - 1, nodes[1] - 1))


def cube_geometry(x_range: Any, y_range: Any, z_range: Any, mesh_size: Any) -> Geometry:
    """A box."""
    size = checked_size(mesh_size)
    ranges = {"x_range": x_range, "y_range": y_range, "z_range": z_range}
    mesh = structured_mesh(tuple(_sized_axis(name, values, size) for name, values in ranges.items()))
    return Geometry.from_mesh(mesh, mesh_tags(mesh), ds=size)
