"""Structured meshes of intervals, rectangles and boxes, built without any Python loop over nodes or cells."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

from ..geometry import SIDES
from ..mesh import Mesh, check_nodes

# The numbered edges of a rectangle.
NUMBERED_EDGES = {"one": "top", "two": "right", "three": "bottom", "four": "left"}


def cell_count(length: float, mesh_size: float) -> int:
    """Number of equal cells whose width is nearest to the mesh size.

    Raises:
        ValueError: there would be too many.
    """
    cells = abs(length) / mesh_size if mesh_size > 0.0 else math.inf
    check_nodes(cells, f"mesh_size={mesh_size!r} on a length of {abs(length):g}")
    return max(1, round(cells))


def node_ids(shape: tuple[int, ...]) -> np.ndarray:
    """Node ids of a tensor grid; the first axis is the slow one."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def _segments(shape: tuple[int, ...]) -> Int[np.ndarray, "M 2"]:
    ids = node_ids(shape)
    return np.stack([ids[:-1], ids[1:]], axis=1)


def _triangles(shape: tuple[int, ...]) -> Int[np.ndarray, "M 3"]:
    """Two triangles per cell that share the diagonal from lower left to upper right."""
    ids = node_ids(shape)
    lower_left, lower_right = ids[:-1, :-1], ids[1:, :-1]
    upper_left, upper_right = ids[:-1, 1:], ids[1:, 1:]
    below = np.stack([lower_left, lower_right, upper_right], axis=-1)
    above = np.stack([lower_left, upper_right, upper_left], axis=-1)
    return np.stack([below, above], axis=2).reshape(-1, 3)


def _tetrahedra(shape: tuple[int, ...]) -> Int[np.ndarray, "M 4"]:
    """Kuhn's subdivision: one tetrahedron per monotone path along the cell's edges, so neighbours conform.

    H. W. Kuhn, "Some combinatorial lemmas in topology", IBM J. Res. Dev. 4 (1960).
    """
    ids = node_ids(shape)
    origin = ids[:-1, :-1, :-1].reshape(-1)
    strides = (shape[1] * shape[2], shape[2], 1)
    paths = [
        np.stack([origin, origin + strides[a], origin + strides[a] + strides[b], origin + sum(strides)], axis=1)
        for a, b, _ in permutations(range(3))
    ]
    return np.stack(paths, axis=1).reshape(-1, 4)


_CELLS = {1: _segments, 2: _triangles, 3: _tetrahedra}


def _tensor_points(axes: tuple[Float[np.ndarray, " _"], ...]) -> Float[np.ndarray, "N D"]:
    grids = np.meshgrid(*axes, indexing="ij")
    return np.stack([grid.reshape(-1) for grid in grids], axis=1)


def _perimeter_positions(midpoints: Float[np.ndarray, "E 2"], cells: tuple[int, int]) -> Float[np.ndarray, " E"]:
    """Position of the edges of a rectangle along its perimeter: bottom, right, top, left."""
    i, j = midpoints[:, 0], midpoints[:, 1]
    nx, ny = cells
    return np.select(
        [j == 0, i == nx, j == ny],
        [i, nx + j, nx + ny + (nx - i)],
        default=2 * nx + ny + (ny - j),
    )


def _along_the_curve(mesh: Mesh, index: np.ndarray, shape: tuple[int, ...]) -> Mesh:
    """The same mesh with the boundary edges of a rectangle listed head to tail."""
    midpoints = index[mesh.facets].mean(axis=1)
    position = _perimeter_positions(midpoints, (shape[0] - 1, shape[1] - 1))
    first_step = index[mesh.facets[:, 1]].sum(axis=1) - index[mesh.facets[:, 0]].sum(axis=1)
    at_bottom = midpoints[:, 1] == 0
    forward = first_step[at_bottom][0] > 0
    order = np.argsort(position if forward else -position, kind="stable")
    return replace(mesh, facets=mesh.facets[order], opposite=mesh.opposite[order])


def structured_mesh(axes: tuple[Float[np.ndarray, " _"], ...]) -> Mesh:
    """Simplicial mesh of the tensor grid of the axes; every side keeps its name when an axis runs backwards.

    `left` is the first value of the first axis, `right` the last one, and so on.
    """
    shape = tuple(len(axis) for axis in axes)
    check_nodes(math.prod(shape), f"a grid of {' x '.join(map(str, shape))} nodes")
    dimension = len(axes)
    mesh = Mesh.from_cells(_tensor_points(axes), _CELLS[dimension](shape))
    index = np.stack(np.unravel_index(np.arange(len(mesh.points)), shape), axis=1)
    if dimension == 2:
        mesh = _along_the_curve(mesh, index, shape)
    sets = dict(mesh.facet_sets)
    for axis, names in enumerate(SIDES[dimension]):
        for name, end in zip(names, (0, shape[axis] - 1), strict=True):
            sets[name] = np.flatnonzero(np.all(index[mesh.facets, axis] == end, axis=1))
    return replace(mesh, facet_sets=sets)
