"""Polynomial consistency: the smallest change of the rows of an operator that makes them exact for polynomials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, permutations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ._simplices import Simplices

#: Moments off by less than this fraction of the sum of the magnitudes of their terms are rounding.
EXACT = 1e-10
#: Largest condition number, by degree, of the normal matrix of a patch that determines the polynomials. Shape-regular
#: patches stay below a tenth of it; nearly degenerate ones would give large coefficients and errors.
CONDITION = {2: 1e3, 3: 1e4}
#: Relative size of the eigenvalues below which a direction of a patch counts as flat when it is scaled.
FLAT = 1e-12
#: Entries of the largest temporary array.
CHUNK = 4_000_000

#: A sum of partial derivatives, each given by its axes: ((0, 0), (1, 1)) is the Laplacian of the plane.
Derivative = tuple[tuple[int, ...], ...]
#: (element rings of a patch, degree of the polynomials to reproduce on it)
Attempt = tuple[int, int]
#: Second derivatives: cubics, so that a one-sided row is as accurate as a symmetric one; else quadratics.
SECOND_ORDER: tuple[Attempt, ...] = ((2, 3), (3, 3), (2, 2), (3, 2))


@dataclass(frozen=True, eq=False)
class _Patch:
    """Nodes around each of n nodes, padded with the node itself, and the frame in which the patch is round."""

    rows: Int[np.ndarray, " n"]
    columns: Int[np.ndarray, "n K"]
    weights: Float[np.ndarray, "n K"]
    frame: Float[np.ndarray, "n D D"]


def restore_consistency(
    mesh: Simplices,
    matrices: Sequence[Any],
    derivatives: Sequence[Derivative],
    weights: Float[np.ndarray, " M"],
    attempts: Sequence[Attempt],
) -> tuple[Any, ...]:
    r"""Add to each row the smallest correction that makes it exact for polynomials around its node.

    With the offsets $r_j = x_j - x_i$ to the nodes of a patch and the monomials $p_t$ up to the degree of the
    attempt, the correction minimises $\sum_j \delta_j^2 / \omega_j$ subject to
    $\sum_j (L_{ij} + \delta_j) p_t(r_j) = (D p_t)(0)$. The patch weights $\omega_j = (W^{rings})_{ij}$ come from the
    averaging of the scheme itself, $W_{ij} \propto \sum_{e \ni i, j} w_e$. They depend on the coordinates through
    the element weights only, so stretching a mesh stretches the correction with it. A row that is exact already
    stays as it is. A node whose patch does not determine the polynomials goes to the next attempt; after the last
    one its row stays as it is.
    """
    averaging = averaging_matrix(mesh, weights)
    pending = np.flatnonzero(np.diff(averaging.indptr) > 0)
    entries: list[tuple[Any, Any, list[Any]]] = []
    for rings, degree in attempts:
        basis = _monomials_up_to(degree, mesh.dimension)
        undetermined = [pending[:0]]
        for patch in _patches(mesh, averaging, pending, rings, len(basis)):
            patch, defects = _inexact(mesh, patch, matrices, derivatives, basis)
            determined, corrections = _correct(mesh, patch, defects, basis)
            undetermined.append(patch.rows[~determined])
            columns = patch.columns[determined]
            rows = np.broadcast_to(patch.rows[determined, None], columns.shape)
            entries.append((rows.ravel(), columns.ravel(), [c.ravel() for c in corrections]))
        pending = np.concatenate(undetermined)
    return tuple(_sum_of(matrix, entries, k) for k, matrix in enumerate(matrices))


def _sum_of(matrix: Any, entries: Sequence[tuple[Any, Any, list[Any]]], k: int) -> Any:
    """A matrix plus the k-th values of entries (rows, columns, values)."""
    from scipy.sparse import coo_array

    if not entries:
        return matrix
    rows, columns = (np.concatenate([entry[part] for entry in entries]) for part in (0, 1))
    values = np.concatenate([entry[2][k] for entry in entries])
    return matrix + coo_array((values, (rows, columns)), shape=matrix.shape).tocsr()


def averaging_matrix(mesh: Simplices, weights: Float[np.ndarray, " M"]) -> Any:
    """Weighted average over the incident elements of the element means, a sparse matrix with row sums one."""
    from scipy.sparse import coo_array, diags_array

    vertices = mesh.elements.shape[1]
    rows = np.repeat(mesh.elements, vertices, axis=1).ravel()
    columns = np.tile(mesh.elements, (1, vertices)).ravel()
    summed = coo_array((np.repeat(weights, vertices**2), (rows, columns)), shape=(mesh.n_points, mesh.n_points)).tocsr()
    summed.eliminate_zeros()
    total = summed.sum(axis=1)
    return diags_array(1.0 / np.where(total > 0, total, 1.0)) @ summed


def _patches(mesh: Simplices, averaging: Any, rows: Int[np.ndarray, " n"], rings: int, terms: int) -> Iterator[_Patch]:
    """Patches of the given nodes in batches of similar size that fit into the memory bound."""
    reach = averaging[rows]
    for _ in range(rings - 1):
        reach = reach @ averaging
    sizes = np.diff(reach.indptr)
    order = np.argsort(-sizes, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, CHUNK // (terms * int(sizes[order[start]])))
        block = order[start : start + count]
        columns, weights = _padded(reach[block], rows[block])
        offsets = mesh.points[columns] - mesh.points[rows[block], None]
        yield _Patch(rows[block], columns, weights, _frames(offsets, weights))
        start += count


def _padded(matrix: Any, rows: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, "n K"], Float[np.ndarray, "n K"]]:
    """Columns and values of sparse rows as full arrays; the padding is the node of the row with value zero."""
    sizes = np.diff(matrix.indptr)
    filled = np.arange(sizes.max(initial=0)) < sizes[:, None]
    columns = np.repeat(rows[:, None], filled.shape[1], axis=1)
    values = np.zeros(filled.shape)
    columns[filled], values[filled] = matrix.indices, matrix.data
    return columns, values


def _frames(offsets: Float[np.ndarray, "n K D"], weights: Float[np.ndarray, "n K"]) -> Float[np.ndarray, "n D D"]:
    """Maps to coordinates in which the weighted covariance of each patch is the identity."""
    spread = np.sqrt(np.einsum("nk,nkd->nd", weights, offsets**2))
    scaled = offsets / spread[:, None]
    covariance = np.swapaxes(scaled, 1, 2) @ (weights[..., None] * scaled)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    lengths = np.sqrt(np.maximum(eigenvalues, FLAT))
    return np.swapaxes(vectors / lengths[:, None, :], 1, 2) / spread[:, None, :]


def _monomials_up_to(degree: int, dimension: int) -> list[tuple[int, ...]]:
    """Monomials of degree 1 … degree as tuples of the axes that they multiply."""
    return [axes for order in range(1, degree + 1) for axes in combinations_with_replacement(range(dimension), order)]


def _evaluate(
    mesh: Simplices,
    patch: _Patch,
    columns: Int[np.ndarray, "n L"],
    basis: Sequence[tuple[int, ...]],
) -> Float[np.ndarray, "n T L"]:
    """The monomials at the given nodes, in the frame of the patch."""
    offsets = mesh.points[columns] - mesh.points[patch.rows, None]
    local = patch.frame @ np.swapaxes(offsets, 1, 2)
    values = np.empty((len(columns), len(basis), columns.shape[1]))
    for t, axes in enumerate(basis):
        last = local[:, axes[-1]]
        values[:, t] = last if len(axes) == 1 else values[:, basis.index(axes[:-1])] * last
    return values


def _exact_moments(
    frame: Float[np.ndarray, "n D D"], derivative: Derivative, basis: Sequence[tuple[int, ...]]
) -> Float[np.ndarray, "n T"]:
    """The derivative of each monomial at the node: products of frame entries over all assignments of the axes."""
    moments = np.zeros((len(frame), len(basis)))
    for term in derivative:
        for t, axes in enumerate(basis):
            if len(axes) == len(term):
                for order in permutations(term):
                    moments[:, t] += np.prod([frame[:, k, d] for k, d in zip(axes, order, strict=True)], axis=0)
    return moments


def _inexact(
    mesh: Simplices,
    patch: _Patch,
    matrices: Sequence[Any],
    derivatives: Sequence[Derivative],
    basis: Sequence[tuple[int, ...]],
) -> tuple[_Patch, list[Float[np.ndarray, "m T"]]]:
    """The part of the patch whose rows are not exact yet, and what their moments lack."""
    defects, wrong = [], np.zeros(len(patch.rows), dtype=bool)
    for matrix, derivative in zip(matrices, derivatives, strict=True):
        columns, values = _padded(matrix[patch.rows], patch.rows)
        monomials = _evaluate(mesh, patch, columns, basis)
        defect = _exact_moments(patch.frame, derivative, basis) - (monomials @ values[..., None])[..., 0]
        magnitude = (np.abs(monomials) @ np.abs(values)[..., None])[..., 0]
        wrong |= (np.abs(defect) > EXACT * magnitude).any(axis=1)
        defects.append(defect)
    part = _Patch(patch.rows[wrong], patch.columns[wrong], patch.weights[wrong], patch.frame[wrong])
    return part, [defect[wrong] for defect in defects]


def _correct(
    mesh: Simplices,
    patch: _Patch,
    defects: Sequence[Float[np.ndarray, "m T"]],
    basis: Sequence[tuple[int, ...]],
) -> tuple[Bool[np.ndarray, " m"], list[Float[np.ndarray, "d K"]]]:
    """Which patches determine the polynomials, and the least-norm rows with the given moments on these."""
    monomials = _evaluate(mesh, patch, patch.columns, basis)
    weighted = np.swapaxes(monomials * patch.weights[:, None], 1, 2)
    normal = monomials @ weighted
    largest = np.abs(normal).sum(axis=2).max(axis=1, initial=0.0)
    # A multiple of the identity far below the bound keeps the inverse of a singular matrix finite.
    ridge = (1e-14 * largest)[:, None, None] * np.eye(len(basis))
    inverse = np.linalg.inv(normal + ridge)
    determined = largest * np.abs(inverse).sum(axis=2).max(axis=1, initial=0.0) < CONDITION[len(basis[-1])]
    monomials, weighted, inverse = monomials[determined], weighted[determined], inverse[determined]

    def least_norm(moments: Any) -> Any:
        return weighted @ (inverse @ moments)

    corrections = []
    for defect in defects:
        moments_missing = defect[determined, :, None]
        correction = least_norm(moments_missing)
        # The second pass removes the rounding of the normal equations.
        corrections.append((correction + least_norm(moments_missing - monomials @ correction))[..., 0])
    return determined, corrections
