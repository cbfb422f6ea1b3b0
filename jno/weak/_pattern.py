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
    keys = [c.rows[:, :, None].astype(np.int64) * size + c.columns[:, None, :] for c in couplings]
    stored = [~(eliminated[c.rows][:, :, None] | eliminated[c.columns][:, None, :]) for c in couplings]
    flat = [group[mask] for group, mask in zip(keys, stored, strict=True)]
    # the transposed entries as well, so that a matrix and its transpose have one pattern
    mirrored = [_mirrored(f, size) for f, c in zip(flat, couplings, strict=True) if c.rows is not c.columns]
    diagonal = np.arange(size, dtype=np.int64) * (size + 1)
    unique, numbers = np.unique(np.concatenate([*flat, diagonal, *mirrored]), return_inverse=True)
    numbers = numbers.reshape(-1).astype(np.int32)
    positions = []
    start = 0
    for group, mask in zip(keys, stored, strict=True):
        place = np.full(group.shape, len(unique), dtype=np.int32)
        count = int(np.sum(mask))
        place[mask] = numbers[start : start + count]
        positions.append(place)
        start += count
    rows, columns = np.divmod(unique, size)
    pattern = Pattern(
        size,
        np.searchsorted(rows, np.arange(size + 1)).astype(np.int32),
        columns.astype(np.int32),
        rows.astype(np.int32),
        numbers[start : start + size],
        np.argsort(_mirrored(unique, size)).astype(np.int32),
    )
    return pattern, positions


def _mirrored(keys: Int[np.ndarray, " n"], size: int) -> Int[np.ndarray, " n"]:
    """The keys of the entries with row and column exchanged."""
    rows, columns = np.divmod(keys, size)
    return columns * size + rows
