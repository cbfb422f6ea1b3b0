"""Simplex meshes of boxes and other shapes, and domains on meshes given as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations
from typing import Any

import numpy as np
from scipy.spatial import Delaunay

from jno.domain import domain
from jno.domain._time import TimeAxis
from jno.domain.geometry import Geometry, GeometryBatch
from jno.domain.mesh import Mesh, mesh_tags


@contextmanager
def gmsh_session(**options: Any) -> Iterator[None]:
    """The library gmsh, which prints nothing; options of ``gmsh.initialize``."""
    import gmsh

    gmsh.initialize(interruptible=False, **options)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        yield
    finally:
        gmsh.finalize()


def mesh_domain(points, cells, size=0.1, time=None):
    """A domain with the tags ``interior`` and ``boundary`` on simplices; nodes without a cell are dropped."""
    used, flat = np.unique(np.asarray(cells), return_inverse=True)
    mesh = Mesh.from_cells(np.asarray(points, dtype=np.float64)[used], flat.reshape(np.shape(cells)))
    geometry = Geometry.from_mesh(mesh, mesh_tags(mesh), ds=size)
    return domain.from_batch(GeometryBatch.of(geometry), TimeAxis.from_spec(time))


def disk(size=0.1):
    """Unit disk: rings of six, twelve, … nodes, triangulated."""
    rings = round(1 / size)
    points = [np.zeros((1, 2))]
    for ring in range(1, rings + 1):
        angle = 2 * np.pi * (np.arange(6 * ring) + 0.25 * (ring % 2)) / (6 * ring)
        points.append(ring / rings * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    points = np.concatenate(points)
    return mesh_domain(points, Delaunay(points).simplices, size)


def l_shape(size=0.1):
    """Unit square without its upper right quarter."""
    return _cells_of_square(size, lambda x, y: (x < 0.5) | (y < 0.5))


def square_with_square_hole(size=0.125):
    """Unit square without ``[¼, ½] × [¼, ¾]``."""
    return _cells_of_square(size, lambda x, y: ~((x > 0.25) & (x < 0.5) & (y > 0.25) & (y < 0.75)))


def square_with_round_hole(size=0.1, radius=0.25):
    """``[-½, ½]²`` without a disk about its centre, in layers between the two loops."""
    side = 2 * round(0.5 / size)
    step = np.arange(side) / side - 0.5
    edge = np.full(side, 0.5)
    corners = [(step, -edge), (edge, step), (-step, edge), (-edge, -step)]
    outer = np.concatenate([np.stack(pair, axis=1) for pair in corners])
    inner = radius * outer / np.linalg.norm(outer, axis=1, keepdims=True)
    layers = round((0.5 - radius) / size) + 1
    share = np.linspace(0, 1, layers + 1)[:, None, None]
    points = ((1 - share) * inner + share * outer).reshape(-1, 2)
    around, layer = np.arange(len(outer)), np.arange(layers)[:, None] * len(outer)
    first, second = layer + around, layer + np.roll(around, -1)
    return mesh_domain(points, _triangles(first, second, second + len(outer), first + len(outer)), size)


def _cells_of_square(size, keep):
    count = round(1 / size)
    grid = np.linspace(0, 1, count + 1)
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    i, j = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
    first = i * (count + 1) + j
    cells = _triangles(first, first + count + 1, first + count + 2, first + 1)
    return mesh_domain(points, cells[keep(*points[cells].mean(axis=1).T)], size)


def _triangles(a, b, c, d):
    """Both halves of every quadrilateral."""
    corners = np.stack([np.ravel(part) for part in (a, b, c, d)], axis=1)
    return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])


def box(n, dimension):
    """Unit box with n cells per axis, each split into dimension! simplices of mixed orientation."""
    axis = np.linspace(0.0, 1.0, n + 1)
    points = np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    index = np.arange(len(points)).reshape([n + 1] * dimension)
    elements = []
    for order in permutations(range(dimension)):
        corner = np.zeros(dimension, dtype=int)
        path = [corner.copy()]
        for step in order:
            corner[step] += 1
            path.append(corner.copy())
        elements.append(np.stack([index[tuple(slice(c, c + n) for c in p)].ravel() for p in path], axis=1))
    return points, np.concatenate(elements)
