"""A mesh as files and mesh generators give it: blocks of elements, and named sets given by their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from ._elements import KINDS

Block: TypeAlias = tuple[str, np.ndarray]
"""A kind of element, and the nodes of its elements `(M, V)`."""


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


def simplices(blocks: Iterable[Block], dimension: int) -> Int[np.ndarray, "M V"]:
    """All simplices of one dimension `(M, dimension + 1)`."""
    parts = [nodes for kind, nodes in blocks if KINDS[kind].dimension == dimension]
    width = dimension + 1
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros((0, width), dtype=np.int64)


def positions(labels: Int[np.ndarray, " n"], searched: Int[np.ndarray, "*S"]) -> Int[np.ndarray, "*S"]:
    """Where the searched node labels stand among all labels; -1 for a label without a node."""
    if not len(labels):
        return np.full(np.shape(searched), -1, dtype=np.int64)
    order = np.argsort(labels, kind="stable")
    slot = order[np.minimum(np.searchsorted(labels, searched, sorter=order), len(labels) - 1)]
    return np.where(labels[slot] == searched, slot, -1)
