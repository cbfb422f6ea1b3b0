"""Nodal P1 quadrature on a set of cells or facets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from ._mesh import Mesh
from ._topology import facet_frames, measures


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Points and weights of the rule `sum_q w_q f(x_q)`, exact for functions that are linear on every
    element and of second order in the element size for smooth ones.

    Attributes:
        points: `(Q, D)` nodes of the elements.
        weights: `(Q,)` share of the measure of the elements around each node.
        normals: `(Q, D)` unit outward normals on a boundary, `None` in a volume.
        nodes: `(Q,)` ids of the points in the mesh. On a boundary a node is listed once per distinct facet
            normal, so integrands that contain the normal are exact at corners as well.
    """

    points: Float[np.ndarray, "Q D"]
    weights: Float[np.ndarray, " Q"]
    normals: Float[np.ndarray, "Q D"] | None
    nodes: Int[np.ndarray, " Q"]

    def reversed(self) -> Quadrature:
        """The same rule with inward normals."""
        return self if self.normals is None else replace(self, normals=-self.normals)


def cell_quadrature(mesh: Mesh, cells: Int[np.ndarray, " M"]) -> Quadrature:
    """Every cell gives an equal share of its measure to its vertices."""
    vertices = mesh.cells[cells]
    share = measures(mesh.points, vertices) / vertices.shape[1]
    nodes, slot = np.unique(vertices.reshape(-1), return_inverse=True)
    weights = np.bincount(slot.reshape(-1), weights=np.repeat(share, vertices.shape[1]))
    return Quadrature(mesh.points[nodes], weights, None, nodes)


def facet_quadrature(mesh: Mesh, facets: Int[np.ndarray, " E"]) -> Quadrature:
    """Every facet shares its measure equally among its vertices; an end point of an interval counts one."""
    vertices = mesh.facets[facets]
    size, facet_normals = facet_frames(mesh.points, vertices, mesh.opposite[facets])
    per_facet = vertices.shape[1]
    owners = np.repeat(facet_normals, per_facet, axis=0)
    keys = np.column_stack([vertices.reshape(-1), np.round(owners, 9) + 0.0])
    _, representatives, slot = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    weights = np.bincount(slot.reshape(-1), weights=np.repeat(size / per_facet, per_facet))
    nodes = vertices.reshape(-1)[representatives]
    return Quadrature(mesh.points[nodes], weights, owners[representatives], nodes)
