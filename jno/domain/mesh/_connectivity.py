"""The `mesh_connectivity` dictionary: elements, neighbours, nodal measures and P1 gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ._elements import simplices_name
from ._mesh import Mesh
from ._topology import distinct, edge_vectors, facet_frames, inverse_transposes, measures, nodal_sums, used_nodes
from ._visibility import boundary_visibility


class NodeNeighbors(Mapping[int, list[int]]):
    """Nodes that share an element with a node, in compressed rows: `neighbors[node]` is a sorted list."""

    def __init__(self, indptr: Int[np.ndarray, " P"], indices: Int[np.ndarray, " K"]) -> None:
        self.indptr = indptr
        self.indices = indices

    def __getitem__(self, node: int) -> list[int]:
        if not 0 <= node < len(self):
            raise KeyError(node)
        return self.indices[self.indptr[node] : self.indptr[node + 1]].tolist()

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self.indptr) - 1


class MeshConnectivity(dict[str, Any]):
    """A dictionary whose expensive entry `VM`, the visibility between boundary nodes, is computed at first use."""

    def __init__(self, entries: Mapping[str, Any], mesh: Mesh) -> None:
        super().__init__(entries)
        self._mesh = mesh

    def __missing__(self, key: str) -> Any:
        if key != "VM":
            raise KeyError(key)
        self[key] = boundary_visibility(self._mesh)
        return self[key]

    def __reduce__(self) -> Any:
        return (MeshConnectivity, (dict(self), self._mesh))


def node_neighbors(cells: Int[np.ndarray, "M V"], n_points: int) -> NodeNeighbors:
    """Compressed-row adjacency of the nodes of a simplicial mesh."""
    pairs = [(i, j) for i in range(cells.shape[1]) for j in range(i + 1, cells.shape[1])]
    ends = np.concatenate([cells[:, pair] for pair in pairs]).astype(np.int64)
    low, high = np.divmod(distinct(ends.min(axis=1) * n_points + ends.max(axis=1)), n_points)
    keys = np.sort(np.concatenate([low * n_points + high, high * n_points + low]))
    rows, columns = np.divmod(keys, n_points)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_points))])
    return NodeNeighbors(indptr, columns)


def p1_gradients(points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"]) -> Float[np.ndarray, "M V D"]:
    """Gradients of the linear shape functions of every simplex."""
    later = inverse_transposes(edge_vectors(points, cells))
    return np.concatenate([-later.sum(axis=1, keepdims=True), later], axis=1)


def mesh_connectivity(mesh: Mesh) -> MeshConnectivity:
    """Everything the mesh operators need, from one pass over the elements.

    `nodal_ds` is the boundary measure of every node: half of its boundary edges, a third of its boundary
    faces, one at the ends of an interval, zero at interior nodes.
    """
    n_points, dimension = mesh.points.shape
    facets = mesh.facets[mesh.facet_sets["boundary"]]
    opposite = mesh.opposite[mesh.facet_sets["boundary"]]
    facet_size, _ = facet_frames(mesh.points, facets, opposite)
    cell_size = measures(mesh.points, mesh.cells)
    boundary = used_nodes(facets, n_points)
    connectivity = MeshConnectivity(
        {
            "points": mesh.points,
            simplices_name(dimension): mesh.cells,
            "neighbors": node_neighbors(mesh.cells, n_points),
            "n_points": n_points,
            "dimension": dimension,
            "nodal_ds": nodal_sums(facets, facet_size / dimension, n_points),
            "nodal_volumes": nodal_sums(mesh.cells, cell_size / (dimension + 1), n_points),
            "boundary_indices": boundary,
            "boundary_points": mesh.points[boundary],
        },
        mesh,
    )
    if dimension == 2:
        connectivity["p1_area"] = cell_size
        connectivity["p1_grad_phi"] = p1_gradients(mesh.points, mesh.cells)
        connectivity["boundary_edges"] = np.searchsorted(boundary, facets)
    return connectivity
