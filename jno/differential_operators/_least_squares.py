"""Least-squares gradient from element centroids, all nodes at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ._simplices import Simplices

#: Smallest ratio of the eigenvalues of the scaled normal matrix that still gives six correct digits in
#: float64.
CONDITION = 1e-10


def least_squares_coefficients(
    mesh: Simplices,
) -> tuple[Float[np.ndarray, "M V D"], Bool[np.ndarray, " N"]]:
    r"""Vectors $c_{ei}$ with $g_i = \sum_{e \ni i} c_{ei} (\bar u_e - u_i)$, and the nodes where the fit is
    determined.

    $c_{ei} = A_i^{-1} |e| d_{ei}$ with $d_{ei}$ from node to centroid and $A_i = \sum_e |e| d_{ei} d_{ei}^T$.
    """
    vertices = mesh.points[mesh.elements]
    # Distances from a vertex, then the mean: the coordinates of a small mesh far from the origin do not
    # cancel twice.
    offsets = (vertices[:, None, :, :] - vertices[:, :, None, :]).mean(axis=2)
    weighted = mesh.measures[:, None, None] * offsets
    normal = _sum_at_nodes(mesh, weighted[..., :, None] * offsets[..., None, :])
    # Scaling by the diagonal makes the condition independent of units and of axis-aligned stretching.
    diagonal = np.einsum("ndd->nd", normal)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    eigenvalues = np.linalg.eigvalsh(scaled)
    determined = eigenvalues[:, 0] > CONDITION * eigenvalues[:, -1]
    inverse = np.linalg.inv(np.where(determined[:, None, None], scaled, np.eye(mesh.dimension)))
    inverse = inverse * determined[:, None, None] / (scale[:, :, None] * scale[:, None, :])
    return np.einsum("evij,evj->evi", inverse[mesh.elements], weighted), determined


def _sum_at_nodes(mesh: Simplices, values: Float[np.ndarray, "M V D D"]) -> Float[np.ndarray, "N D D"]:
    """Sum the contribution of every element vertex at its node."""
    nodes = mesh.elements.ravel()
    columns = values.reshape(nodes.size, -1).T
    summed = np.stack([np.bincount(nodes, column, minlength=mesh.n_points) for column in columns], axis=1)
    return summed.reshape(-1, *values.shape[2:])
