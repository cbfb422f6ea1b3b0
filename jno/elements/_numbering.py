"""Numbering of the degrees of freedom of Lagrange elements on a mesh."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ._lagrange import Lagrange


@dataclass(frozen=True, eq=False)
class DofMap:
    """Where the nodes of an element lie on a mesh.

    Attributes:
        element: the element.
        cells: vertices of every cell in ascending order.
        nodes: numbers of the nodes of every cell, vertices of the mesh first (in its order), then those on edges,
            faces and in cells.
        points: their coordinates.
    """

    element: Lagrange
    cells: Int[np.ndarray, "M V"]
    nodes: Int[np.ndarray, "M n"]
    points: Float[np.ndarray, "N D"]

    @property
    def count(self) -> int:
        """Number of nodes."""
        return len(self.points)

    def on_facets(self, owners: Int[np.ndarray, " E"], opposite: Int[np.ndarray, " E"]) -> Int[np.ndarray, "E k"]:
        """Nodes on facets, each given by its cell and the position of the vertex that does not lie on it."""
        local = np.stack(self.element.facet_nodes)[opposite]
        return np.take_along_axis(self.nodes[owners], local, axis=1)


def number_dofs(element: Lagrange, points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"]) -> DofMap:
    """Number the nodes of an element on a mesh.

    Args:
        element: of the dimension of the cells.
        points: vertices of the mesh.
        cells: vertices of every cell.
    """
    ordered = np.sort(cells, axis=1)
    nodes = np.empty((len(cells), len(element.points)), dtype=np.int64)
    count = 0
    for entities, local_nodes in zip(element.entities, element.entity_nodes, strict=True):
        per_entity = len(local_nodes[0])
        if per_entity == 0:
            continue
        numbers, total = _entity_numbers(ordered, entities, len(points))
        for position, local in enumerate(local_nodes):
            for offset, node in enumerate(local):
                nodes[:, node] = count + per_entity * numbers[:, position] + offset
        count += per_entity * total
    coordinates = np.empty((count, points.shape[1]))
    # the vertices themselves, without rounding
    coordinates[: len(points)] = points
    if count > len(points):
        vertices = [local[0] for local in element.entity_nodes[0]]
        off_vertices = np.setdiff1d(np.arange(len(element.points)), vertices)
        inside = element.points[off_vertices]
        barycentric = np.concatenate([1 - inside.sum(axis=1, keepdims=True), inside], axis=1)
        coordinates[nodes[:, off_vertices]] = np.einsum("nv,mvd->mnd", barycentric, points[ordered])
    return DofMap(element, ordered, nodes, coordinates)


def _entity_numbers(
    cells: Int[np.ndarray, "M V"], entities: tuple[tuple[int, ...], ...], n_points: int
) -> tuple[Int[np.ndarray, "M k"], int]:
    """The number of every entity of every cell, equal for those that cells share, and how many there are."""
    if len(entities[0]) == 1:
        return cells, n_points
    if len(entities) == 1:
        return np.arange(len(cells))[:, None], len(cells)
    corners = cells[:, list(itertools.chain(*entities))].reshape(-1, len(entities[0]))
    keys = corners[:, 0].astype(np.int64)
    for column in range(1, corners.shape[1]):
        distinct, keys = np.unique(keys * n_points + corners[:, column], return_inverse=True)
        keys = keys.reshape(-1)
    return keys.reshape(len(cells), len(entities)), len(distinct)
