"""The parts of a boundary that fields are built on: as few facets as possible, none of them twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from jno.trace import Variable

from .. import _shapely as shapely
from ..geometry import Geometry, trapezoids
from ..mesh import Facets, right_unit_normals, straight_runs
from ..sampling import DomainView, columns, unknown_tag, whole_tag


def single_geometry(domain: DomainView, what: str) -> Geometry:
    """The geometry of all batch rows."""
    geometries = domain.batch.distinct
    if len(geometries) > 1:
        raise NotImplementedError(
            f"{what} is one function of the position, and this merged domain has {len(geometries)} geometries; "
            "call it on each of them before merging, and attach the values as data."
        )
    return geometries[0]


def coordinates_of(domain: DomainView, tag: str) -> tuple[Variable, ...]:
    """The coordinate variables of a sampled tag; all points of a meshed one are sampled now."""
    whole_tag(domain, tag)
    return columns(tag, domain.dimension, domain)


def boundary_facets_of(domain: DomainView, geometry: Geometry, name: object) -> Facets:
    """The edges, faces or end points of a boundary tag, as they are."""
    check_boundary(domain, geometry, name)
    return geometry.facets_of(str(name))


def check_boundary(domain: DomainView, geometry: Geometry, name: object) -> None:
    """Refuse what is no boundary tag."""
    if not isinstance(name, str) or not geometry.has(name):
        raise unknown_tag(domain, name)
    if not geometry.is_boundary(name):
        raise ValueError(f"The tag {name!r} is not a boundary tag; boundary tags: {domain.boundary_tags()}.")


def union_of(parts: Sequence[Facets], slack: float) -> Facets:
    """The facets of several tags; those that lie on facets of an earlier tag are left out."""
    corners, normals = parts[0].corners, parts[0].normals
    for part in parts[1:]:
        beside = ~lie_on(part.corners, corners, slack)
        corners = np.concatenate([corners, part.corners[beside]])
        normals = np.concatenate([normals, part.normals[beside]])
    return Facets(corners, normals)


def lie_on(
    corners: Float[np.ndarray, "M V D"], carriers: Float[np.ndarray, "E V D"], slack: float
) -> Bool[np.ndarray, " M"]:
    """Which facets lie on carriers: of curves the middles of both halves do, in space they are the same triangles."""
    centroids = corners.mean(axis=1)
    if corners.shape[2] != 2:
        return _are_among(centroids, carriers.mean(axis=1), slack)
    halves = ((centroids[:, None] + corners) / 2.0).reshape(-1, 2)
    return np.all(_distances_to_curve(halves, carriers).reshape(-1, 2) <= _on(slack), axis=1)


def meeting_points(
    corners: Float[np.ndarray, "M V D"], carriers: Float[np.ndarray, "E V D"], slack: float, most: int = 4
) -> Float[np.ndarray, "K D"]:
    """Some of the points where two parts of a boundary meet: corners of one part that lie on the other."""
    ends = []
    for part, facets in ((corners, carriers), (carriers, corners)):
        vertices = np.unique(part.reshape(-1, part.shape[2]), axis=0)
        if part.shape[2] == 2:
            ends.append(vertices[_distances_to_curve(vertices, facets) <= _on(slack)])
        else:
            ends.append(vertices[_are_among(vertices, facets.reshape(-1, part.shape[2]), slack)])
    points = np.concatenate(ends)
    points = points[np.unique(np.round(points / (8.0 * _on(slack))), axis=0, return_index=True)[1]]
    return points[np.unique(np.linspace(0, len(points) - 1, most).astype(int))] if len(points) else points


def _are_among(
    points: Float[np.ndarray, "N D"], carriers: Float[np.ndarray, "M D"], slack: float
) -> Bool[np.ndarray, " N"]:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(carriers).query(points)[0] <= _on(slack))


def _distances_to_curve(
    points: Float[np.ndarray, "N 2"], segments: Float[np.ndarray, "E 2 2"]
) -> Float[np.ndarray, " N"]:
    return np.asarray(shapely.distance(shapely.points(points), shapely.multilinestrings(shapely.linestrings(segments))))


def _on(slack: float) -> float:
    """The distance within which a point is on a facet: files of meshes may be of single precision."""
    return 1e3 * slack


def fewest_facets(facets: Facets, slack: float) -> Facets:
    """The same curve or surface with fewer facets: those on a line or plane are joined."""
    dimension = facets.corners.shape[2]
    if dimension == 2:
        runs = straight_runs(facets.corners, facets.normals, slack)
        return Facets(runs, right_unit_normals(runs))
    return _joined_triangles(facets, slack) if dimension == 3 else facets


def _joined_triangles(facets: Facets, slack: float) -> Facets:
    """Triangles of one plane are joined to polygons, which are cut again."""
    planes = _plane_equations(facets, slack)
    numbers, counts = np.unique(planes, axis=0, return_inverse=True, return_counts=True)[1:]
    of_plane = counts[numbers.ravel()]
    corners, normals = [facets.corners[of_plane < 3]], [facets.normals[of_plane < 3]]
    for number in np.flatnonzero(counts >= 3):
        members = np.flatnonzero(numbers.ravel() == number)
        triangles = _cut_again(facets.corners[members], facets.normals[members[0]], slack)
        corners.append(triangles)
        normals.append(np.broadcast_to(facets.normals[members[0]], (len(triangles), 3)))
    return Facets(np.concatenate(corners), np.concatenate(normals))


def _plane_equations(facets: Facets, slack: float) -> Int[np.ndarray, "E 4"]:
    """Unit normal and distance from the origin of every facet, in steps."""
    distances = np.sum(facets.normals * facets.corners[:, 0], axis=1)
    return np.round(np.column_stack([facets.normals / 1e-8, distances / (10.0 * slack)])).astype(np.int64)


def _cut_again(
    corners: Float[np.ndarray, "M 3 3"], normal: Float[np.ndarray, " 3"], slack: float
) -> Float[np.ndarray, "K 3 3"]:
    """Few triangles that cover the same part of a plane."""
    origin, axis = corners[0, 0], corners[0, 1] - corners[0, 0]
    frame = np.stack([axis / np.linalg.norm(axis), np.cross(normal, axis) / np.linalg.norm(axis)])
    flat = (corners - origin) @ frame.T
    area = shapely.union_all(shapely.polygons(flat)).simplify(slack)
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(shapely.get_parts(area))]
    edges = np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings])
    along = edges[np.argmax(np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1))]
    along = (along[1] - along[0]) / np.linalg.norm(along[1] - along[0])
    # the verticals through all vertices cut the area: with a side along the first axis a rectangle stays one piece
    turn = np.array([along, [-along[1], along[0]]])
    turned = edges @ turn.T
    turned[..., 0] = np.round(turned[..., 0] / slack) * slack
    return trapezoids(turned).triangles @ turn @ frame + origin
