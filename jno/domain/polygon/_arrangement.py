"""The arrangement of all lines of a polygon domain: nodes, edges that meet in nodes only, and faces between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from .. import _shapely as shapely
from .._shapely import Shape
from ._geometry import clip_to, ring_segments
from ._scene import PolygonScene
from ._shapes import Curve

# Lines nearer to each other than this share of the diameter become one line.
_GRID = 1e-10
Loop = Int[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A planar subdivision of the active geometry.

    Attributes:
        nodes: `(N, 2)`.
        edges: node ids `(E, 2)`.
        faces: for every face its loops of signed edge numbers (`e + 1` along, `-e - 1` against), the outer one first.
        sides: `(E, 2)` faces to the left and to the right of every edge, -1 for none.
        members: `(F, R)` whether a face belongs to a source region.
        loose: `(E,)` face in whose inside an edge ends freely, -1 for all others.
    """

    nodes: Float[np.ndarray, "N 2"]
    edges: Int[np.ndarray, "E 2"]
    faces: tuple[tuple[Loop, ...], ...]
    sides: Int[np.ndarray, "E 2"]
    members: Bool[np.ndarray, "F R"]
    loose: Int[np.ndarray, " E"]

    @property
    def segments(self) -> Float[np.ndarray, "E 2 2"]:
        """The edges as pairs of points."""
        return self.nodes[self.edges]


def arrangement(scene: PolygonScene) -> Arrangement:
    """The subdivision of the active geometry by its own edges and those of all regions and user-defined curves."""
    lines = _lines(scene)
    nodes, edges, polygons = _noded(lines, scene)
    numbers = _edge_numbers(edges, len(nodes))
    faces, sides = [], np.full((len(edges), 2), -1, dtype=np.int64)
    for number, rings in enumerate(polygons):
        loops = tuple(_loop(ring, numbers, len(nodes)) for ring in rings)
        faces.append(loops)
        for loop in loops:
            sides[np.abs(loop) - 1, np.where(loop > 0, 0, 1)] = number
    inside = _inside_points(nodes, polygons)
    members = _members(scene, inside)
    loose = _loose(nodes, edges, sides, polygons)
    used = np.any(sides >= 0, axis=1) | (loose >= 0)
    return _restricted(Arrangement(nodes, edges, tuple(faces), sides, members, loose), used)


def _lines(scene: PolygonScene) -> Float[np.ndarray, "S 2 2"]:
    """All segments: of the active geometry, of the regions' edges, and of curves as far as they lie in the domain."""
    segments = [ring_segments(scene.active)]
    for name in (*(f"boundary_{region}" for region in scene.regions), *scene.curves):
        region = scene.table.get(name)
        if isinstance(region, Curve):
            segments.append(clip_to(scene.active, region.segments, scene.slack)[0])
    return np.concatenate(segments)


def _noded(
    lines: Float[np.ndarray, "S 2 2"], scene: PolygonScene
) -> tuple[Float[np.ndarray, "N 2"], Int[np.ndarray, "E 2"], list[list[np.ndarray]]]:
    """Nodes, edges, and the rings (as node ids, the inside on the left) of every face of the active geometry."""
    scale = float(np.ptp(lines.reshape(-1, 2), axis=0).max())
    grid = 10.0 ** np.floor(np.log10(_GRID * scale))
    joined = shapely.union_all(shapely.linestrings(lines), grid_size=grid)
    parts = shapely.get_parts(joined)
    pieces = np.concatenate([_pairs(shapely.get_coordinates(part)) for part in parts])
    places, slot = np.unique(pieces.reshape(-1, 2), axis=0, return_inverse=True)
    edges = np.unique(np.sort(slot.reshape(-1, 2), axis=1), axis=0)
    faces = shapely.get_parts(shapely.polygonize(list(shapely.linestrings(places[edges]))))
    centres = [face.representative_point() for face in faces]
    shapely.prepare(scene.active)
    inside = [face for face, centre in zip(faces, centres, strict=True) if scene.active.contains(centre)]
    index = {(float(x), float(y)): number for number, (x, y) in enumerate(places)}
    polygons = [_rings(face, index) for face in inside]
    return _exact(places, lines, 4.0 * grid), edges, polygons


def _pairs(coordinates: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "E 2 2"]:
    return np.stack([coordinates[:-1], coordinates[1:]], axis=1)


def _rings(face: Shape, index: dict[tuple[float, float], int]) -> list[np.ndarray]:
    rings = []
    for number, ring in enumerate((face.exterior, *face.interiors)):
        nodes = np.array([index[float(x), float(y)] for x, y in shapely.get_coordinates(ring)[:-1]])
        rings.append(nodes if ring.is_ccw == (number == 0) else nodes[::-1])
    return rings


def _exact(places: np.ndarray, lines: np.ndarray, reach: float | np.floating) -> Float[np.ndarray, "N 2"]:
    """The nodes, put back from the grid onto the given end points where these are near."""
    from scipy.spatial import cKDTree

    end_points = lines.reshape(-1, 2)
    distance, nearest = cKDTree(end_points).query(places)
    return np.where((distance <= reach)[:, None], end_points[nearest], places)


def _edge_numbers(edges: Int[np.ndarray, "E 2"], n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    keys = edges[:, 0] * n_nodes + edges[:, 1]
    order = np.argsort(keys)
    return keys[order], order


def _loop(ring: np.ndarray, numbers: tuple[np.ndarray, np.ndarray], n_nodes: int) -> Loop:
    start, stop = ring, np.roll(ring, -1)
    keys, order = numbers
    edge = order[np.searchsorted(keys, np.minimum(start, stop) * n_nodes + np.maximum(start, stop))]
    return np.where(start < stop, edge + 1, -edge - 1)


def _inside_points(nodes: np.ndarray, polygons: list[list[np.ndarray]]) -> Float[np.ndarray, "F 2"]:
    shapes = [shapely.Polygon(nodes[rings[0]], [nodes[hole] for hole in rings[1:]]) for rings in polygons]
    return shapely.get_coordinates(shapely.point_on_surface(shapes))


def _members(scene: PolygonScene, inside: Float[np.ndarray, "F 2"]) -> Bool[np.ndarray, "F R"]:
    columns = [np.asarray(shapely.contains_xy(region, inside)) for region in scene.regions.values()]
    return np.stack(columns, axis=1) if columns else np.zeros((len(inside), 0), dtype=bool)


def _loose(
    nodes: np.ndarray, edges: np.ndarray, sides: np.ndarray, polygons: list[list[np.ndarray]]
) -> Int[np.ndarray, " E"]:
    """The face that contains an edge which bounds no face."""
    owner = np.full(len(edges), -1, dtype=np.int64)
    free = np.flatnonzero(np.all(sides < 0, axis=1))
    if len(free):
        shapes = [shapely.Polygon(nodes[rings[0]], [nodes[hole] for hole in rings[1:]]) for rings in polygons]
        tree = shapely.STRtree(shapes)
        edge, face = tree.query(shapely.points(nodes[edges[free]].mean(axis=1)), predicate="within")
        owner[free[edge]] = face
    return owner


def _restricted(plan: Arrangement, used: Bool[np.ndarray, " E"]) -> Arrangement:
    """Without edges that belong to no face."""
    number = np.cumsum(used)
    faces = tuple(tuple(np.sign(loop) * number[np.abs(loop) - 1] for loop in face) for face in plan.faces)
    return Arrangement(plan.nodes, plan.edges[used], faces, plan.sides[used], plan.members, plan.loose[used])


def interface_edges(plan: Arrangement, names: tuple[str, ...]) -> dict[tuple[str, str], Int[np.ndarray, " K"]]:
    """Signed numbers of the edges between two regions, the first on the left, for every pair that meets.

    Two regions meet where one side of an edge belongs to the first, the other side to the second, and at least one of
    them ends there.
    """
    interfaces = {}
    between = np.all(plan.sides >= 0, axis=1)
    left, right = plan.members[plan.sides[:, 0]], plan.members[plan.sides[:, 1]]
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            ends = between & ((left[:, i] != right[:, i]) | (left[:, j] != right[:, j]))
            along = np.flatnonzero(ends & left[:, i] & right[:, j])
            against = np.flatnonzero(ends & right[:, i] & left[:, j])
            if len(along) + len(against):
                interfaces[names[i], names[j]] = np.concatenate([along + 1, -against - 1])
    return interfaces
