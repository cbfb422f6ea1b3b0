"""The sparsity pattern of a matrix, and where the entries of element matrices belong in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int


@dataclasses.dataclass(frozen=True, eq=False)
class Pattern:
    """Rows of a square matrix in compressed form, columns ascending.

    Attributes:
        size: number of rows.
        starts: where every row begins, and the number of entries.
        columns: column of every entry.
        rows: row of every entry.
        diagonal: position of every diagonal entry.
        transposition: position of the entry with row and column exchanged.
    """

    size: int
    starts: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, " nnz"]
    rows: Int[np.ndarray, " nnz"]
    diagonal: Int[np.ndarray, " N"]
    transposition: Int[np.ndarray, " nnz"]

    @property
    def entries(self) -> int:
        """Number of stored entries."""
        return len(self.columns)


@dataclasses.dataclass(frozen=True, eq=False)
class Couplings:
    """Degrees of freedom that element matrices couple: rows ``(E, i)`` with columns ``(E, j)``."""

    rows: Int[np.ndarray, "E i"]
    columns: Int[np.ndarray, "E j"]


def build_pattern(
    couplings: Sequence[Couplings], size: int, eliminated: Bool[np.ndarray, " N"]
) -> tuple[Pattern, list[Int[np.ndarray, "_ _ _"]]]:
    """The pattern of a sum of element matrices, symmetric and with the whole diagonal.

    Args:
        couplings: of every group of element matrices.
        size: number of rows.
        eliminated: rows and columns of which only the diagonal is stored.

    Returns:
        the pattern, and for every group the positions of its entries; eliminated ones have the position ``entries``.
    """
    from scipy.sparse import coo_array, csr_matrix

    stored = [~(eliminated[c.rows][:, :, None] | eliminated[c.columns][:, None, :]) for c in couplings]
    flat = [_stored_entries(c, mask) for c, mask in zip(couplings, stored, strict=True)]
    # the transposed entries as well, so that a matrix and its transpose have one pattern
    mirrored = [(columns, rows) for (rows, columns), c in zip(flat, couplings, strict=True) if c.rows is not c.columns]
    diagonal = np.arange(size, dtype=np.int32)
    entries = [*flat, *mirrored, (diagonal, diagonal)]
    rows, columns = (np.concatenate([entry[axis] for entry in entries]) for axis in (0, 1))
    compressed = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size)).tocsr()
    compressed.sum_duplicates()
    starts, columns, count = compressed.indptr, compressed.indices, compressed.nnz
    numbers = np.arange(count, dtype=np.int32)
    # a matrix, not an array: it is indexed by arrays of rows and columns alike in all versions
    numbered = csr_matrix((numbers, columns, starts), shape=(size, size))

    def positions_of(rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        if len(rows) == 0:  # all are prescribed; indexed by nothing, a matrix gives a matrix
            return np.zeros(0, dtype=np.int32)
        return np.asarray(numbered[rows, columns], dtype=np.int32).reshape(-1)

    positions = []
    for mask, entry in zip(stored, flat, strict=True):
        place = np.full(mask.shape, count, dtype=np.int32)
        place[mask] = positions_of(*entry)
        positions.append(place)
    pattern = Pattern(
        size,
        starts.astype(np.int32),
        columns.astype(np.int32),
        np.repeat(diagonal, np.diff(starts)),
        positions_of(diagonal, diagonal),
        # of a symmetric pattern the transpose stores every entry where its mirror image is
        numbered.T.tocsr().data,
    )
    return pattern, positions


def _stored_entries(
    couplings: Couplings, stored: Bool[np.ndarray, "E i j"]
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Rows and columns of the entries of element matrices that are stored."""
    rows, columns = np.broadcast_arrays(couplings.rows[:, :, None], couplings.columns[:, None, :])
    return rows[stored].astype(np.int32), columns[stored].astype(np.int32)
