"""Plane sections of a mesh of tetrahedra: the triangles in which a plane cuts it."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from jno.domain import Mesh

_OFF = 1e-7
"""Of the size of the mesh: so far the plane is moved, so that no node lies on it."""
_FINE_TRIANGLES = 3000
_LONE = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [2, 0, 1, 3], [3, 0, 1, 2]])
"""A corner and the three others."""
_PAIRS = np.array([[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2]])
"""Two corners on one side and two on the other."""


@dataclasses.dataclass(frozen=True, eq=False)
class PlaneSection:
    """A section perpendicular to an axis.

    Attributes:
        axis: number of the coordinate that is constant.
        level: its value.
        rows: which of the points of a picture lie on it.
        triangles: between these points, counted from the first of them.
    """

    axis: int
    level: float
    rows: slice
    triangles: Int[np.ndarray, "M 3"]

    @property
    def plane(self) -> list[int]:
        """The numbers of the coordinates that vary."""
        return [axis for axis in range(3) if axis != self.axis]


def middle_sections(mesh: Mesh) -> tuple[Float[np.ndarray, "N 3"], tuple[PlaneSection, ...]]:
    """Points of three sections through the middle of the bounding box, and the sections."""
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    points: list[np.ndarray] = []
    sections: list[PlaneSection] = []
    start = 0
    for axis in (2, 1, 0):
        level = float((low[axis] + high[axis]) / 2)
        flat, triangles = _refined(*_cut(mesh, axis, level + _OFF * float((high - low).max())), axis)
        if not len(triangles):
            continue
        on_plane = np.insert(flat, axis, level, axis=1)
        sections.append(PlaneSection(axis, level, slice(start, start + len(flat)), triangles))
        points.append(on_plane)
        start += len(flat)
    return np.concatenate(points) if points else np.zeros((0, 3)), tuple(sections)


def _cut(mesh: Mesh, axis: int, level: float) -> tuple[Float[np.ndarray, "N 3"], Int[np.ndarray, "M 3"]]:
    """Points on the edges that a plane cuts, and the triangles between them."""
    above = mesh.points[:, axis] > level
    sides = above[mesh.cells]
    count = sides.sum(axis=1)
    triangles = []
    for order in _LONE:  # one corner alone: a triangle on its three edges
        alone = ((count == 1) & sides[:, order[0]]) | ((count == 3) & ~sides[:, order[0]])
        corners = mesh.cells[alone][:, order]
        triangles.append(np.stack([corners[:, [0, k]] for k in (1, 2, 3)], axis=1))
    for order in _PAIRS:  # two and two: a quadrilateral, as two triangles
        a, b, c, d = (mesh.cells[(count == 2) & (sides[:, order[0]] == sides[:, order[1]])][:, k] for k in order)
        around = np.stack([np.stack(edge, axis=-1) for edge in ((a, c), (a, d), (b, d), (b, c))], axis=1)
        triangles.extend([around[:, [0, 1, 2]], around[:, [0, 2, 3]]])
    edges, numbers = np.unique(np.sort(np.concatenate(triangles).reshape(-1, 2), axis=1), axis=0, return_inverse=True)
    ends = mesh.points[edges]
    share = (level - ends[:, 0, axis]) / (ends[:, 1, axis] - ends[:, 0, axis])
    return ends[:, 0] + share[:, None] * (ends[:, 1] - ends[:, 0]), numbers.reshape(-1, 3)


def _refined(
    points: Float[np.ndarray, "N 3"], triangles: Int[np.ndarray, "M 3"], axis: int
) -> tuple[Float[np.ndarray, "K 2"], Int[np.ndarray, "L 3"]]:
    """The triangles in their plane, halved until they are fine enough for a picture."""
    from matplotlib.tri import Triangulation, UniformTriRefiner

    flat = np.delete(points, axis, axis=1)
    corners = flat[triangles]
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    triangles = triangles[areas > 1e-12 * areas.sum()]  # slivers where the plane passes a node
    if not len(triangles):
        return flat, triangles
    nodes, numbers = np.unique(triangles, return_inverse=True)
    triangulation = Triangulation(flat[nodes, 0], flat[nodes, 1], numbers.reshape(-1, 3))
    halvings = int(np.ceil(np.log2(max(1.0, _FINE_TRIANGLES / len(triangles))) / 2.0))
    if halvings:
        triangulation = UniformTriRefiner(triangulation).refine_triangulation(subdiv=halvings)
    return np.column_stack([triangulation.x, triangulation.y]), np.asarray(triangulation.triangles)
