"""Simplicial topology and measures: boundary facets, orientation, measures, normals (all vectorised)."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from jaxtyping import Bool, Float, Int

from ._curve import right_normals

# Local facets of a positively oriented simplex, listed so that every facet is oriented outward, and the local
# vertex opposite to each of them.
_LOCAL_FACETS = {
    1: (((0,), (1,)), (1, 0)),
    2: (((0, 1), (1, 2), (2, 0)), (2, 0, 1)),
    3: (((1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1)), (0, 1, 2, 3)),
}


@dataclass(frozen=True, eq=False)
class Facets:
    """Edges, faces or end points.

    Attributes:
        corners: their corners.
        normals: the outward unit normal of each.
    """

    corners: Float[np.ndarray, "E V D"]
    normals: Float[np.ndarray, "E D"]


def signed_measures(points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"]) -> Float[np.ndarray, " M"]:
    """Signed length, area or volume of every simplex, `det(p_i - p_0) / D!`."""
    return _determinants(edge_vectors(points, cells)) / factorial(points.shape[1])


def edge_vectors(points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"]) -> Float[np.ndarray, "M D D"]:
    """The edges of every simplex from its first corner to the others."""
    corners = points[cells]
    return corners[:, 1:] - corners[:, :1]


def _determinants(matrices: Float[np.ndarray, "M D D"]) -> Float[np.ndarray, " M"]:
    """Written out: for millions of small matrices several times faster than `numpy.linalg.det`."""
    match matrices.shape[1]:
        case 1:
            return matrices[:, 0, 0]
        case 2:
            (a, b), (c, d) = matrices.transpose(1, 2, 0)
            return a * d - b * c
        case 3:
            return np.sum(matrices[:, 0] * np.cross(matrices[:, 1], matrices[:, 2]), axis=1)
        case _:
            return np.linalg.det(matrices)


def inverse_transposes(matrices: Float[np.ndarray, "M D D"]) -> Float[np.ndarray, "M D D"]:
    """The transposed inverse of every matrix, by its cofactors."""
    match matrices.shape[1]:
        case 1:
            return 1.0 / matrices
        case 2:
            (a, b), (c, d) = matrices.transpose(1, 2, 0)
            cofactors = np.stack([d, -c, -b, a], axis=1).reshape(-1, 2, 2)
        case 3:
            a, b, c = matrices.transpose(1, 0, 2)
            cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
        case _:
            return np.linalg.inv(matrices).swapaxes(1, 2)
    return cofactors / _determinants(matrices)[:, None, None]


def measures(points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"]) -> Float[np.ndarray, " M"]:
    """Length, area or volume of every simplex."""
    return np.abs(signed_measures(points, cells))


def orient(points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"]) -> Int[np.ndarray, "M V"]:
    """The same simplices with a positive signed measure."""
    oriented = cells.copy()
    inverted = signed_measures(points, cells) < 0.0
    oriented[inverted, -2:] = cells[inverted, -2:][:, ::-1]
    return oriented


def simplex_keys(simplices: Int[np.ndarray, "M V"], n_points: int) -> Int[np.ndarray, " M"]:
    """One integer per simplex that does not depend on the order of its nodes."""
    ordered = np.sort(simplices, axis=1).astype(np.int64)
    keys, bound = ordered[:, 0], max(n_points, 1)
    for column in range(1, ordered.shape[1]):
        if bound * n_points >= 2**62:  # ranks instead, before the number overflows
            distinct, keys = np.unique(keys, return_inverse=True)
            keys, bound = keys.reshape(-1).astype(np.int64), len(distinct)
        keys = keys * n_points + ordered[:, column]
        bound *= n_points
    return keys


def find_simplices(
    table: Int[np.ndarray, "M V"],
    searched: Int[np.ndarray, "K V"],
    n_points: int,
    marks: tuple[Int[np.ndarray, " M"], Int[np.ndarray, " K"]] | None = None,
) -> tuple[Int[np.ndarray, " K"], Bool[np.ndarray, " K"]]:
    """For every searched simplex one of the table with the same nodes (and the same mark), and whether there is one."""
    # keys are comparable only within one call
    keys = simplex_keys(np.concatenate([table, searched]), n_points)
    if marks is not None:
        keys = 2 * keys + np.concatenate(marks)
    have, need = keys[: len(table)], keys[len(table) :]
    if not len(have):
        return np.zeros(len(need), dtype=np.int64), np.zeros(len(need), dtype=bool)
    order = np.argsort(have, kind="stable")
    slot = order[np.minimum(np.searchsorted(have, need, sorter=order), len(have) - 1)]
    return slot, have[slot] == need


def oriented_facets(cells: Int[np.ndarray, "M V"]) -> tuple[Int[np.ndarray, "F W"], Int[np.ndarray, " F"]]:
    """Facets of all (positively oriented) simplices, seen from outside, and the opposite node of each."""
    local, opposite = _LOCAL_FACETS[cells.shape[1] - 1]
    facets = np.concatenate([cells[:, list(nodes)] for nodes in local])
    return facets, np.concatenate([cells[:, node] for node in opposite])


def boundary_facets(
    cells: Int[np.ndarray, "M V"], n_points: int
) -> tuple[Int[np.ndarray, "E W"], Int[np.ndarray, " E"]]:
    """Facets owned by exactly one (positively oriented) simplex, and the opposite node of each in it."""
    facets, opposites = oriented_facets(cells)
    _, representatives, count = np.unique(simplex_keys(facets, n_points), return_index=True, return_counts=True)
    single = np.sort(representatives[count == 1])
    return facets[single], opposites[single]


def _raw_normals(corners: Float[np.ndarray, "E W D"]) -> Float[np.ndarray, "E D"]:
    """Normals scaled by the measure of the facet; a point has measure one."""
    match corners.shape[2]:
        case 1:
            return np.ones_like(corners[:, 0])
        case 2:
            return right_normals(corners)
        case _:
            return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2.0


def facet_frames(
    points: Float[np.ndarray, "N D"], facets: Int[np.ndarray, "E W"], opposite: Int[np.ndarray, " E"]
) -> tuple[Float[np.ndarray, " E"], Float[np.ndarray, "E D"]]:
    """Measure and unit normal of every facet; the normal points away from the opposite node."""
    corners = points[facets]
    raw = _raw_normals(corners)
    size = np.linalg.norm(raw, axis=1)
    outward = np.sign(np.sum(raw * (corners[:, 0] - points[opposite]), axis=1))
    return size, raw * (outward / size)[:, None]


def nodal_sums(
    simplices: Int[np.ndarray, "M V"], values: Float[np.ndarray, " M"], n_points: int
) -> Float[np.ndarray, " N"]:
    """For every node, the sum of the values of the simplices it belongs to."""
    repeated = np.repeat(values, simplices.shape[1])
    sums = np.bincount(simplices.reshape(-1), weights=repeated, minlength=n_points)
    return sums.astype(np.float64, copy=False)  # without any simplex, bincount returns integers


def nodal_normals(
    points: Float[np.ndarray, "N D"], facets: Int[np.ndarray, "E W"], opposite: Int[np.ndarray, " E"]
) -> Float[np.ndarray, "N D"]:
    """Measure-weighted average of the facet normals at every node, normalised; zero away from the facets."""
    size, normals = facet_frames(points, facets, opposite)
    sums = np.stack(
        [nodal_sums(facets, size * normals[:, axis], len(points)) for axis in range(points.shape[1])], axis=1
    )
    total = nodal_sums(facets, size, len(points))
    length = np.linalg.norm(sums, axis=1)
    # The two sides of a slit cancel to rounding error; any of the node's own facet normals is then used.
    cancelled = (total > 0.0) & (length <= 1e-12 * total)
    any_facet = np.zeros_like(sums)
    any_facet[facets.reshape(-1)] = np.repeat(normals, facets.shape[1], axis=0)
    sums = np.where(cancelled[:, None], any_facet, sums)
    length = np.where(cancelled, 1.0, length)
    return np.divide(sums, length[:, None], out=np.zeros_like(sums), where=length[:, None] > 0.0)


def distinct(values: Int[np.ndarray, " M"]) -> Int[np.ndarray, " K"]:
    """The distinct values in ascending order; for millions of integers sorting is faster than `numpy.unique`."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def used_nodes(simplices: Int[np.ndarray, "M V"], n_points: int) -> Int[np.ndarray, " K"]:
    """The nodes of the simplices in ascending order."""
    used = np.zeros(n_points, dtype=bool)
    used[simplices] = True
    return np.flatnonzero(used)


def first_appearance(values: Int[np.ndarray, " M"]) -> Int[np.ndarray, " K"]:
    """The distinct values in the order in which they first appear."""
    _, index = np.unique(values, return_index=True)
    return values[np.sort(index)]
