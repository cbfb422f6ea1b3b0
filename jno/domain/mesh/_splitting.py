"""Any elements as first-order simplices.

Pyramids, wedges and hexahedra are split from their corner of highest priority ("pulling"): every face that does not
contain it is cut from its own corner of highest priority, and the triangles are joined to it. As the priority is that
of the nodes of the mesh, both neighbours of a face cut it along the same diagonal (Dompierre, Labbé, Vallet, Camarero:
How to subdivide pyramids, prisms and hexahedra into tetrahedra, 1999).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from jno.utils import get_logger

from ._elements import KINDS
from ._raw_mesh import Block, MeshFileError, RawMesh

_SOLIDS = tuple(kind for kind, element in KINDS.items() if element.dimension == 3 and kind != "tetra")
# a share of the area or volume of an element below which a part of it counts as flat
_FLAT = 1e-10


def simplicial(raw: RawMesh, origin: str) -> RawMesh:
    """The mesh with the corner nodes of its elements only, and with simplices only.

    Quadrilaterals of a plane mesh are cut along a diagonal inside them. The same element in a block and in a set
    becomes the same simplices.
    """
    raw = _first_order(raw, origin)
    if all(kind not in _SOLIDS and kind != "quad" for kind, _ in raw.blocks):
        return raw
    points = np.pad(raw.points, ((0, 0), (0, 3 - raw.points.shape[1])))
    solid = any(KINDS[kind].dimension == 3 for kind, nodes in raw.blocks if len(nodes))
    priority = _priorities(points, raw.blocks) if solid else np.arange(len(points))

    def split(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        return tuple(_split(block, points, priority, solid, origin) for block in blocks)

    return RawMesh(raw.points, split(raw.blocks), {name: split(blocks) for name, blocks in raw.sets.items()})


def _first_order(raw: RawMesh, origin: str) -> RawMesh:
    """The mesh without the nodes inside edges, faces and cells."""
    higher = sorted({kind for kind, nodes in raw.blocks if len(nodes) and nodes.shape[1] > KINDS[kind].corners})
    if not higher:
        return raw
    get_logger().warning(
        f"{origin} has elements of second or higher order ({', '.join(higher)}); they are read with their corner "
        "nodes, so curved sides become straight and the nodes between the corners are left out."
    )

    def corners(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        return tuple((kind, nodes[:, : KINDS[kind].corners]) for kind, nodes in blocks)

    return RawMesh(raw.points, corners(raw.blocks), {name: corners(blocks) for name, blocks in raw.sets.items()})


def _split(block: Block, points: np.ndarray, priority: np.ndarray, solid: bool, origin: str) -> Block:
    kind, nodes = block
    if kind == "quad":
        triangles = _halves(nodes, priority) if solid else _plane_halves(points, nodes, origin)
        return "triangle", _proper(triangles)
    if kind in _SOLIDS:
        return "tetra", _tetrahedra(kind, points, nodes, priority, origin)
    return block


def _proper(simplices: Int[np.ndarray, "M V"]) -> Int[np.ndarray, "K V"]:
    """The simplices without those that name a node twice, as parts of collapsed elements do."""
    return simplices[_distinct_nodes(simplices)]


def _distinct_nodes(rows: Int[np.ndarray, "M V"]) -> Bool[np.ndarray, " M"]:
    ordered = np.sort(rows, axis=1)
    return np.all(ordered[:, 1:] != ordered[:, :-1], axis=1)


# -- quadrilaterals ----
def _cut(quads: Int[np.ndarray, "M 4"], main_diagonal: Bool[np.ndarray, " M"]) -> Int[np.ndarray, "K 3"]:
    """Both triangles of every quadrilateral, listed one after the other; `main_diagonal` chooses the diagonal 0-2."""
    a, b, c, d = quads.T
    halves = np.where(
        main_diagonal[:, None, None], np.array([[a, b, c], [a, c, d]]).T, np.array([[a, b, d], [b, c, d]]).T
    )
    return halves.transpose(0, 2, 1).reshape(-1, 3)


def _halves(quads: Int[np.ndarray, "M 4"], priority: Int[np.ndarray, " N"]) -> Int[np.ndarray, "K 3"]:
    return _cut(quads, np.argmin(priority[quads], axis=1) % 2 == 0)


def _plane_halves(points: Float[np.ndarray, "N 3"], quads: Int[np.ndarray, "M 4"], origin: str) -> np.ndarray:
    """Triangles of quadrilaterals in a plane, along the diagonal of the smallest node unless it lies outside."""
    total, corner = _corner_areas(points, quads)
    # the diagonal 0-2 cuts off the corners 1 and 3
    inside = [
        np.all((corner[:, cut] > _FLAT * total[:, None]) | _repeated(quads)[:, cut], axis=1) for cut in ((1, 3), (0, 2))
    ]
    crossed = ~inside[0] & ~inside[1] & (np.abs(corner).max(axis=1) > 0.0)
    if np.any(crossed):
        raise MeshFileError(
            f"{origin} has {np.sum(crossed)} quadrilaterals with crossing sides (the first joins the points "
            f"{points[quads[crossed][0]].tolist()} in this order); list the corners around the element."
        )
    smallest = np.argmin(quads, axis=1) % 2 == 0
    return _cut(quads, np.where(smallest, inside[0] | ~inside[1], inside[0] & ~inside[1]))


def _corner_areas(
    points: Float[np.ndarray, "N 3"], quads: Int[np.ndarray, "M 4"]
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, "M 4"]]:
    """Twice the areas of quadrilaterals, and of the triangle at each of their corners, negative where it is concave."""
    corners = points[quads]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    size = np.linalg.norm(normal, axis=1)
    after, before = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    turns = np.cross(after, before)
    largest = np.linalg.norm(turns, axis=2).max(axis=1)
    # where the sides cross and the two parts are equal, any corner gives the plane
    normal = np.where((size > _FLAT * largest)[:, None], normal, turns[:, 0])
    length = np.linalg.norm(normal, axis=1)
    return size, np.einsum("mci,mi->mc", turns, normal / np.where(length > 0.0, length, 1.0)[:, None])


def _repeated(quads: Int[np.ndarray, "M 4"]) -> Bool[np.ndarray, "M 4"]:
    """Whether the triangle at a corner names a node twice."""
    before, after = np.roll(quads, 1, axis=1), np.roll(quads, -1, axis=1)
    return (before == quads) | (after == quads) | (before == after)


# -- cells in space ----
def _priorities(points: Float[np.ndarray, "N 3"], blocks: tuple[Block, ...]) -> Int[np.ndarray, " N"]:
    """The rank of every node: first those at a concave or straight corner of a face, then by number."""
    special = np.zeros(len(points), dtype=bool)
    for kind, nodes in blocks:
        for face in KINDS[kind].faces if kind in _SOLIDS else ():
            if len(face) == 4:
                quads = nodes[:, list(face)]
                quads = quads[_distinct_nodes(quads)]
                size, corner = _corner_areas(points, quads)
                special[quads[corner <= _FLAT * size[:, None]]] = True
    rank = np.empty(len(points), dtype=np.int64)
    rank[np.lexsort((np.arange(len(points)), ~special))] = np.arange(len(points))
    return rank


def _tetrahedra(
    kind: str, points: np.ndarray, cells: Int[np.ndarray, "M V"], priority: Int[np.ndarray, " N"], origin: str
) -> Int[np.ndarray, "K 4"]:
    parts = list(_pulled(kind, cells, priority))
    if not parts:
        return np.zeros((0, 4), dtype=np.int64)
    tetrahedra = np.concatenate([part for part, _ in parts])
    owner = np.concatenate([rows for _, rows in parts])
    edges = points[tetrahedra[:, 1:]] - points[tetrahedra[:, :1]]
    volume = np.sum(edges[:, 0] * np.cross(edges[:, 1], edges[:, 2]), axis=1)
    total = np.bincount(owner, weights=volume, minlength=len(cells))
    inverted = volume * np.sign(total[owner]) < -_FLAT * np.abs(total[owner])
    if np.any(inverted):
        bad = np.unique(owner[inverted])
        raise MeshFileError(
            f"{origin} has {len(bad)} elements of kind {kind!r} that are concave, inverted or list their corners in "
            f"another order (the first has the corners {points[cells[bad[0]]].tolist()}); they cannot be split into "
            "tetrahedra. Repair them, or save a mesh of tetrahedra."
        )
    return tetrahedra


def _pulled(kind: str, cells: np.ndarray, priority: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Tetrahedra and the rows of the cells they are from."""
    top = np.argmin(priority[cells], axis=1)
    for corner in range(KINDS[kind].corners):
        rows = np.flatnonzero(top == corner)
        for face in KINDS[kind].faces:
            if corner in face or not len(rows):
                continue
            base = cells[rows][:, list(face)]
            triangles = base if len(face) == 3 else _halves(base, priority)
            source = np.repeat(rows, len(triangles) // len(rows))
            joined = np.column_stack([cells[source, corner], triangles])
            proper = _distinct_nodes(joined)
            yield joined[proper], source[proper]
