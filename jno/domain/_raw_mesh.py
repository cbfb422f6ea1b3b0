"""A mesh as files and mesh generators give it: blocks of elements, and named sets given by their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

# kind of element -> topological dimension
TOPOLOGICAL = {"vertex": 0, "line": 1, "triangle": 2, "quad": 2, "tetra": 3}
_SPLIT_QUAD = ((0, 1, 2), (0, 2, 3))

Block = tuple[str, np.ndarray]


class MeshFileError(ValueError):
    """A mesh that cannot be read, or not be used as a domain."""


@dataclass(frozen=True, eq=False)
class RawMesh:
    """Points with 1 to 3 columns, blocks `(kind, (M, V) node ids)`, and sets `name -> blocks`.

    A set lists its elements by their nodes, so it does not matter whether a format numbers elements per block,
    globally, or repeats an element for every set it belongs to.
    """

    points: Float[np.ndarray, "N C"]
    blocks: tuple[Block, ...]
    sets: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)


def simplices(blocks: Iterable[Block], dimension: int) -> np.ndarray:
    """All elements of one dimension `(M, dimension + 1)`; quadrilaterals become two triangles."""
    parts: list[np.ndarray] = []
    for kind, nodes in blocks:
        if TOPOLOGICAL[kind] != dimension:
            continue
        if kind == "quad":
            parts.extend(nodes[:, list(corners)] for corners in _SPLIT_QUAD)
        else:
            parts.append(nodes)
    width = dimension + 1
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, width), dtype=np.int64)
