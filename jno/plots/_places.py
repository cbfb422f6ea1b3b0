"""Where a picture shows values: the points, and in the plane the triangles between them."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from jno.domain.geometry import Geometry

from ._sections import PlaneSection, middle_sections

Points = Float[np.ndarray, "N D"]
Triangles = Int[np.ndarray, "M 3"]

_CURVE_POINTS = 401
_FINE_TRIANGLES = 6000
"""A coarser mesh is refined for the picture."""
_FINE_SURFACE = 2000
_GRID = 110
"""Points along the longer side of a shape without a mesh."""
_LONGEST_EDGE = 4.0
"""Times the usual one: longer edges between points of a cloud span a gap."""


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """Points, and what connects them: on a line their order, nothing on a plane boundary.

    Attributes:
        points: the points.
        triangles: between them in the plane, or on a surface in space.
        sections: plane sections of a body that the points lie on.
    """

    points: Points
    triangles: Triangles | None = None
    sections: tuple[PlaneSection, ...] = ()

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return int(self.points.shape[1])


def places_of(geometry: Geometry, tag: str, *, smooth: bool = True) -> Places:
    """The points of a region that a picture shows.

    Args:
        geometry: the geometry of the region.
        tag: the region; those that the geometry does not have stand for all of it.
        smooth: whether a coarse mesh is refined.  Boundaries and clouds have the points they have.
    """
    if geometry.lazy is not None and not geometry.lazy.can_mesh:
        return _of_body(geometry, tag if geometry.has(tag) else "interior")
    if not geometry.has(tag) and geometry.mesh is None:
        return _of_shape(geometry, "interior") if geometry.lazy is not None else _cloud(geometry.points)
    if geometry.has(tag) and geometry.is_boundary(tag):
        return _surface(geometry, tag) if geometry.dimension == 3 else Places(_boundary_points(geometry, tag))
    if geometry.mesh is None:
        return _of_shape(geometry, tag) if geometry.lazy is not None else _cloud(geometry.pool(tag))
    if geometry.dimension == 2:
        return _of_mesh(geometry, tag, _FINE_TRIANGLES if smooth else 1)
    points = geometry.pool(tag) if tag in geometry.tags else geometry.points
    if geometry.dimension == 1:
        return Places(np.linspace(points.min(), points.max(), _CURVE_POINTS)[:, None])
    section_points, sections = middle_sections(geometry.mesh)
    if tag == "interior" and sections:
        return Places(section_points, sections=sections)
    return Places(np.asarray(points, np.float64))


def scattered(points: Points, geometry: Geometry | None = None) -> Places:
    """Points that were sampled, or that a user passed; triangles between them lie in the geometry."""
    if points.shape[1] != 2:
        return Places(points[np.argsort(points[:, 0])] if points.shape[1] == 1 else points)
    mesh = None if geometry is None else geometry.mesh
    if mesh is not None and mesh.points.shape == points.shape and np.allclose(mesh.points, points):
        return Places(points, np.asarray(mesh.cells))
    cloud = _cloud(points)
    if geometry is None or geometry.is_cloud or cloud.triangles is None:
        return cloud
    centroids = points[cloud.triangles].mean(axis=1)
    return Places(points, cloud.triangles[inside(geometry, centroids)])


def inside(geometry: Geometry, points: Points) -> Bool[np.ndarray, " N"]:
    """Which points lie in a plane geometry."""
    if geometry.lazy is not None:
        return _even_odd(geometry.lazy.outline("interior"), points)
    assert geometry.mesh is not None, "a geometry that is no cloud has a mesh or regions"
    mesh = geometry.mesh
    return _even_odd(mesh.points[mesh.facets[mesh.facet_sets["boundary"]]], points)


def _even_odd(segments: Float[np.ndarray, "E 2 2"], points: Points) -> Bool[np.ndarray, " N"]:
    x, y = points.T
    crossed = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in segments:
        if y0 != y1:
            crossed ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return crossed


def _boundary_points(geometry: Geometry, tag: str) -> Points:
    if tag in geometry.tags:
        return np.asarray(geometry.pool(tag), np.float64)
    return _along(geometry.facets_of(tag).corners, _GRID)


def _surface(geometry: Geometry, tag: str) -> Places:
    """The faces of a boundary in space."""
    points = np.asarray(geometry.pool(tag), np.float64)
    mesh = geometry.mesh
    facets = geometry.tags[tag].facets
    if mesh is None or facets is None:
        return Places(points)
    nodes, numbers = np.unique(mesh.facets[facets], return_inverse=True)
    corners, triangles = np.asarray(mesh.points[nodes], np.float64), numbers.reshape(-1, 3)
    while len(triangles) < _FINE_SURFACE:
        corners, triangles = _halved(corners, triangles)
    return Places(corners, triangles)


def _halved(
    points: Float[np.ndarray, "N 3"], triangles: Triangles
) -> tuple[Float[np.ndarray, "K 3"], Int[np.ndarray, "L 3"]]:
    """Every triangle in four, at the middles of its edges."""
    pairs = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=-1)
    edges, numbers = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    middles = len(points) + numbers.reshape(-1, 3)
    (a, b, c), (ab, bc, ca) = triangles.T, middles.T
    quarters = [np.stack(corners, axis=-1) for corners in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
    return np.concatenate([points, points[edges].mean(axis=1)]), np.concatenate(quarters)


def _along(segments: Float[np.ndarray, "E 2 2"], count: int) -> Points:
    """Points on segments, ``count`` on one as long as the longer side of their bounding box."""
    step = float(np.ptp(segments.reshape(-1, 2), axis=0).max()) / count
    pieces = []
    for start, end in segments:
        share = np.linspace(0.0, 1.0, max(2, int(np.linalg.norm(end - start) / step) + 1))[:, None]
        pieces.append(start + share * (end - start))
    return np.unique(np.concatenate(pieces).round(12), axis=0)


def _of_mesh(geometry: Geometry, tag: str, fine: int) -> Places:
    from matplotlib.tri import Triangulation, UniformTriRefiner

    mesh = geometry.mesh
    assert mesh is not None, "only a geometry with a mesh comes here"
    cells = geometry.cells_of(tag) if tag in geometry.tags else None
    triangles = mesh.cells if cells is None else mesh.cells[cells]
    if not len(triangles):
        return Places(np.asarray(geometry.pool(tag), np.float64))
    nodes, numbers = np.unique(triangles, return_inverse=True)
    triangulation = Triangulation(mesh.points[nodes, 0], mesh.points[nodes, 1], numbers.reshape(triangles.shape))
    halvings = int(np.ceil(np.log2(max(1.0, fine / len(triangles))) / 2.0))
    if halvings:
        triangulation = UniformTriRefiner(triangulation).refine_triangulation(subdiv=halvings)
    return Places(np.column_stack([triangulation.x, triangulation.y]), np.asarray(triangulation.triangles))


def _of_shape(geometry: Geometry, tag: str) -> Places:
    """A grid of the inside of a shape, and points of its outline."""
    from matplotlib.tri import Triangulation

    assert geometry.lazy is not None, "only a geometry with regions comes here"
    outline = geometry.lazy.outline(tag)
    low, high = outline.min(axis=(0, 1)), outline.max(axis=(0, 1))
    step = float((high - low).max()) / _GRID
    axes = [np.arange(start + step / 2.0, end, step) for start, end in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    points = np.concatenate([grid[_even_odd(outline, grid)], _along(outline, _GRID)])
    triangles = np.asarray(Triangulation(points[:, 0], points[:, 1]).triangles)
    return Places(points, triangles[_even_odd(outline, points[triangles].mean(axis=1))])


def _of_body(geometry: Geometry, tag: str) -> Places:
    """Points of a box or ball: a grid in the plane, as many as a line needs on a line, random ones elsewhere."""
    assert geometry.lazy is not None, "only a geometry with regions comes here"
    if geometry.dimension == 2 and tag == "interior":
        return _of_shape(geometry, tag)
    region = geometry.lazy.drawable_region(tag)
    if geometry.dimension == 1 and tag == "interior":
        return _cloud(region.draw(_CURVE_POINTS, "equispaced", np.random.default_rng(0))[0])
    points = region.draw(_FINE_SURFACE, None, np.random.default_rng(0))[0]
    return _cloud(points) if not geometry.is_boundary(tag) else Places(points)


def _cloud(points: Points) -> Places:
    from matplotlib.tri import Triangulation

    points = np.asarray(points, np.float64)
    if points.shape[1] != 2:
        return Places(points[np.argsort(points[:, 0])] if points.shape[1] == 1 else points)
    if len(points) < 3 or np.linalg.matrix_rank(points - points[0]) < 2:
        return Places(points)
    triangles = np.asarray(Triangulation(points[:, 0], points[:, 1]).triangles)
    corners = points[triangles]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max(axis=1)
    return Places(points, triangles[edges <= _LONGEST_EDGE * np.median(edges)])
