"""A mesh as files and mesh generators give it: blocks of elements, and named sets given by their nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

# kind of element -> topological dimension
TOPOLOGICAL = {
    "vertex": 0,
    "line": 1,
    "triangle": 2,
    "quad": 2,
    "tetra": 3,
    "pyramid": 3,
    "wedge": 3,
    "hexahedron": 3,
}
# kind of element -> number of its corners, which precede its other nodes in every format
CORNERS = {"vertex": 1, "line": 2, "triangle": 3, "quad": 4, "tetra": 4, "pyramid": 5, "wedge": 6, "hexahedron": 8}
# kind of element -> corners of its faces, seen from outside, in the order of Abaqus; of plane elements, their sides
FACES: dict[str, tuple[tuple[int, ...], ...]] = {
    "triangle": ((0, 1), (1, 2), (2, 0)),
    "quad": ((0, 1), (1, 2), (2, 3), (3, 0)),
    "tetra": ((2, 1, 0), (3, 0, 1), (3, 1, 2), (3, 2, 0)),
    "pyramid": ((3, 2, 1, 0), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)),
    "wedge": ((2, 1, 0), (3, 4, 5), (0, 1, 4, 3), (1, 2, 5, 4), (2, 0, 3, 5)),
    "hexahedron": ((3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)),
}
FACE_KINDS = {2: "line", 3: "triangle", 4: "quad"}

_VTK_NAMES = {"curve": "line", "quadrilateral": "quad", "tetrahedron": "tetra"}

Block = tuple[str, np.ndarray]


class MeshFileError(ValueError):
    """A mesh that cannot be read, or not be used as a domain."""


@dataclass(frozen=True, eq=False)
class RawMesh:
    """Points with 1 to 3 columns, blocks `(kind, (M, V) node ids)`, and sets `name -> blocks`.

    A set lists its elements by their nodes, so it does not matter whether a format numbers elements per block,
    globally, or repeats an element for every set it belongs to. Elements of higher order have more columns than
    their kind has corners; the corners come first.
    """

    points: Float[np.ndarray, "N C"]
    blocks: tuple[Block, ...]
    sets: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)


def linear_kind(kind: str) -> str:
    """The kind of first order, as `"tetra"` of meshio's `"tetra10"` or `"VTK_LAGRANGE_TETRAHEDRON"`."""
    match = re.fullmatch(r"VTK_(?:LAGRANGE|BEZIER)_(\w+)", kind)
    base = match[1].lower() if match else re.sub(r"\d+$", "", kind)
    base = _VTK_NAMES.get(base, base)
    return base if base in CORNERS else kind


def simplices(blocks: Iterable[Block], dimension: int) -> np.ndarray:
    """All simplices of one dimension `(M, dimension + 1)`."""
    parts = [nodes for kind, nodes in blocks if TOPOLOGICAL[kind] == dimension]
    width = dimension + 1
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, width), dtype=np.int64)


def positions(labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where the wanted node labels stand among all labels; -1 for a label without a node."""
    if not len(labels):
        return np.full(np.shape(wanted), -1, dtype=np.int64)
    order = np.argsort(labels, kind="stable")
    slot = order[np.minimum(np.searchsorted(labels, wanted, sorter=order), len(labels) - 1)]
    return np.where(labels[slot] == wanted, slot, -1)
