"""The shapes whose meshes are grids: `line`, `rect`, `equi_distant_rect`, `poseidon`, `cube`."""

from __future__ import annotations

import math
from typing import Unpack

import numpy as np
from jaxtyping import Float

from ..geometry import Geometry
from ..mesh import check_nodes, mesh_tags
from ._checks import checked_count, checked_range, checked_size
from ._constructor import Constructor, MeshOptions
from ._structured import NUMBERED_EDGES, cell_count, structured_mesh


@Constructor
def line(x_range: object = (0.0, 1.0), mesh_size: object = 0.1, **options: Unpack[MeshOptions]) -> Geometry:
    """An interval in `round(length / mesh_size)` equal segments, at least one.

    Args:
        x_range: `(first, last)`; `left` is the first value, also when it is the larger one.
        mesh_size: wanted length of a segment.

    Returns:
        A domain with the tags `interior`, `boundary`, `left`, `right`.

    Raises:
        ValueError: a range, mesh size or time that is not allowed.

    Example:
        >>> import jno
        >>> jno.domain.line((0, 2), mesh_size=0.5).points.shape
        (5, 1)
    """
    size = checked_size(mesh_size)
    mesh = structured_mesh((_sized_axis("x_range", x_range, size),))
    return Geometry.from_mesh(mesh, mesh_tags(mesh), ds=size)


@Constructor
def rect(
    x_range: object = (0.0, 1.0), y_range: object = (0.0, 1.0), mesh_size: object = 0.1, **options: Unpack[MeshOptions]
) -> Geometry:
    """A rectangle in `round(length / mesh_size)` cells per direction, two triangles each.

    Args:
        x_range: `(left, right)`; a reversed range keeps the names of the sides.
        y_range: `(bottom, top)`.
        mesh_size: wanted width of a cell.

    Returns:
        A domain with the tags `interior`, `boundary`, `left`, `right`, `bottom`, `top` and the numbered
        edges `one` (top), `two` (right), `three` (bottom), `four` (left).

    Raises:
        ValueError: a range, mesh size or time that is not allowed.

    Example:
        >>> import jno
        >>> jno.domain.rect(mesh_size=0.2).points.shape
        (36, 2)
    """
    size = checked_size(mesh_size)
    axes = (_sized_axis("x_range", x_range, size), _sized_axis("y_range", y_range, size))
    mesh = structured_mesh(axes)
    return Geometry.from_mesh(mesh, mesh_tags(mesh, NUMBERED_EDGES), ds=size)


@Constructor
def equi_distant_rect(
    x_range: object = (0.0, 1.0),
    y_range: object = (0.0, 1.0),
    nx: object = 10,
    ny: object = 10,
    **options: Unpack[MeshOptions],
) -> Geometry:
    """A rectangle of `nx` by `ny` equal cells; node `i * (ny + 1) + j` has the `i`-th x and the `j`-th y.

    Args:
        x_range: `(left, right)`; a reversed range keeps the names of the sides.
        y_range: `(bottom, top)`.
        nx: cells in x.
        ny: cells in y.

    Returns:
        A domain with the tags `interior`, `boundary`, `left`, `right`, `bottom`, `top`, whose points form
        a grid of `(nx + 1, ny + 1)` nodes; `ds` is the smaller cell width.

    Raises:
        ValueError: a range, cell count or time that is not allowed.

    Example:
        >>> import jno
        >>> jno.domain.equi_distant_rect(nx=4, ny=2).points.shape
        (15, 2)
    """
    return _grid(x_range, y_range, (checked_count("nx", nx, 1), checked_count("ny", ny, 1)))


@Constructor
def poseidon(nx: object = 128, ny: object = 128, **options: Unpack[MeshOptions]) -> Geometry:
    """The unit square with exactly `nx` by `ny` nodes, as image-shaped models need it.

    Args:
        nx: nodes in x.
        ny: nodes in y.

    Returns:
        A domain with the tags `interior`, `boundary`, `left`, `right`, `bottom`, `top`; node `i * ny + j`
        has the `i`-th x and the `j`-th y, and `ds` is the smaller cell width.

    Raises:
        ValueError: a node count or time that is not allowed.

    Example:
        >>> import jno
        >>> jno.domain.poseidon(8, 8).points.shape
        (64, 2)
    """
    nodes = (checked_count("nx", nx, 2), checked_count("ny", ny, 2))
    return _grid((0.0, 1.0), (0.0, 1.0), (nodes[0] - 1, nodes[1] - 1))


@Constructor
def cube(
    x_range: object = (0.0, 1.0),
    y_range: object = (0.0, 1.0),
    z_range: object = (0.0, 1.0),
    mesh_size: object = 0.1,
    **options: Unpack[MeshOptions],
) -> Geometry:
    """A box in `round(length / mesh_size)` cells per direction, six tetrahedra each (Kuhn's subdivision).

    Args:
        x_range: `(left, right)`; a reversed range keeps the names of the faces.
        y_range: `(front, back)`.
        z_range: `(bottom, top)`.
        mesh_size: wanted width of a cell.

    Returns:
        A domain with the tags `interior`, `boundary`, `left`, `right`, `front`, `back`, `bottom`, `top`.

    Raises:
        ValueError: a range, mesh size or time that is not allowed.

    Example:
        >>> import jno
        >>> jno.domain.cube(mesh_size=0.5).points.shape
        (27, 3)
    """
    size = checked_size(mesh_size)
    ranges = {"x_range": x_range, "y_range": y_range, "z_range": z_range}
    mesh = structured_mesh(tuple(_sized_axis(name, values, size) for name, values in ranges.items()))
    return Geometry.from_mesh(mesh, mesh_tags(mesh), ds=size)


def _sized_axis(name: str, values: object, mesh_size: float) -> Float[np.ndarray, " n"]:
    start, stop = checked_range(name, values)
    if not math.isfinite(stop - start):
        raise ValueError(f"{name} must be two different finite numbers (first, last); got {values!r}, too far apart.")
    return np.linspace(start, stop, cell_count(stop - start, mesh_size) + 1)


def _grid(x_range: object, y_range: object, cells: tuple[int, int]) -> Geometry:
    """A rectangle with a given number of cells per direction."""
    check_nodes((cells[0] + 1) * (cells[1] + 1), f"nx={cells[0]}, ny={cells[1]} cells")
    axes = tuple(
        np.linspace(*checked_range(name, values), count + 1)
        for name, values, count in zip(("x_range", "y_range"), (x_range, y_range), cells, strict=True)
    )
    mesh = structured_mesh(axes)
    ds = min(abs(float(axis[1] - axis[0])) for axis in axes)
    shape = tuple(len(axis) for axis in axes)
    return Geometry.from_mesh(mesh, mesh_tags(mesh), ds=ds, grid_shape=shape)
