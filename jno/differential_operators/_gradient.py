"""Recovered nodal gradients: weighted averages of element gradients, and least squares, made exact for quadratics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from ._consistency import Attempt, restore_consistency
from ._least_squares import least_squares_coefficients
from ._simplices import Simplices, build_simplices
from ._stencil import Stencil, stencil_from_matrix
from ._types import MeshElements, MeshPoints, check_axes, check_choice, documented_stencil


def _measure(mesh: Simplices) -> Float[np.ndarray, " M"]:
    """Length, area or volume."""
    return mesh.measures


def _uniform(mesh: Simplices) -> Float[np.ndarray, " M"]:
    """One per element that is not degenerate."""
    return (mesh.measures > 0).astype(np.float64)


def _inverse_distance(mesh: Simplices) -> Float[np.ndarray, " M"]:
    """One over the mean distance from the vertices to the centroid."""
    vertices = mesh.points[mesh.elements]
    distance = np.linalg.norm(vertices - vertices.mean(axis=1, keepdims=True), axis=2).mean(axis=1)
    valid = mesh.measures > 0
    return valid / np.where(valid, distance, 1.0)


ELEMENT_WEIGHTS: dict[str, Callable[[Simplices], Float[np.ndarray, " M"]]] = {
    "area_weighted": _measure,
    "uniform": _uniform,
    "inverse_distance": _inverse_distance,
    "least_squares": _measure,
}
GRADIENT_METHODS = tuple(ELEMENT_WEIGHTS)
#: Quadratics on the adjacent nodes where these determine them, else on wider patches.
_ATTEMPTS: tuple[Attempt, ...] = ((1, 2), (2, 2), (3, 2))


@documented_stencil
def gradient_stencil(points: MeshPoints, elements: MeshElements, dim: int, method: str = "area_weighted") -> Stencil:
    r"""Build the nodal derivative $\partial u/\partial x_{dim}$ on a line, triangle or tetrahedron mesh once.

    The weighted methods average the constant P1 gradients of the elements around a node,
    $(\nabla u)_i = \sum_{e \ni i} w_e \nabla u|_e / \sum_{e \ni i} w_e$. `least_squares` fits
    $g \cdot (c_e - x_i) \approx \bar u_e - u_i$ to the incident element centroids $c_e$ and means $\bar u_e$,
    weighted with the element measure. All of them are exact for affine u at every node that has an element.

    Where such a row is not exact for quadratic u, which happens at boundary nodes and wherever the mesh is not
    point-symmetric around the node, it is replaced by the nearest row that is: the one with the smallest change
    $\sum_j \delta_j^2 / \omega_j$, weighted with the averaging weights of the method, over the adjacent nodes,
    or over two or three rings of elements where fewer do not determine a quadratic. The gradient is then
    second-order accurate at every node, on any shape-regular mesh. (Generalised finite differences: Liszka and
    Orkisz, Comput. Struct. 11, 1980; Benito, Ureña and Gavete, Appl. Math. Model. 25, 2001; minimal
    stencils: Seibold, Comput. Methods Appl. Mech. Eng. 198, 2008.) In 1-D the adjacent nodes allow one such
    row only, and all methods coincide. Nodes whose surroundings do not determine a quadratic, as on a mesh of a
    few elements, keep the formula of the method.

    Args:
        dim: Axis to differentiate along, 0 … D - 1.
        method: "area_weighted" (default; element length, area or volume), "uniform", "inverse_distance"
            (one over the mean vertex-to-centroid distance) or "least_squares". In 1-D "least_squares" is
            "area_weighted". Nodes whose incident centroids do not span the space, such as a corner with one
            element, take the area-weighted gradient before the correction.

    Example:
        >>> import numpy as np
        >>> from jno.differential_operators import gradient_stencil
        >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> d_dy = gradient_stencil(points, np.array([[0, 1, 2]]), dim=1)
        >>> print(d_dy.apply(points[:, 0] + 2.0 * points[:, 1]))
        [2. 2. 2.]
    """
    check_choice("gradient method", method, GRADIENT_METHODS)
    mesh = build_simplices(points, elements)
    check_axes("dim", (dim,), mesh.dimension)
    plain = gradient_matrices(mesh, method)[dim]
    weights = ELEMENT_WEIGHTS[method](mesh)
    return stencil_from_matrix(restore_consistency(mesh, (plain,), (((dim,),),), weights, _ATTEMPTS)[0])


def gradient_matrices(mesh: Simplices, method: str) -> tuple[Any, ...]:
    """The formula of the method, before the correction: one (N, N) SciPy sparse matrix per axis."""
    if method == "least_squares" and mesh.dimension > 1:
        return _least_squares_matrices(mesh)
    weights = ELEMENT_WEIGHTS[method](mesh)
    vertices = mesh.elements.shape[1]
    total = np.bincount(mesh.elements.ravel(), np.repeat(weights, vertices), minlength=mesh.n_points)
    share = weights[:, None] / np.where(total > 0, total, 1.0)[mesh.elements]
    local = share[:, :, None, None] * mesh.shape_gradients[:, None, :, :]
    return tuple(assemble(mesh, local[..., axis]) for axis in range(mesh.dimension))


def _least_squares_matrices(mesh: Simplices) -> tuple[Any, ...]:
    """Least squares where the fit is determined, area-weighted averages elsewhere."""
    from scipy.sparse import diags_array

    coefficients, determined = least_squares_coefficients(mesh)
    vertices = mesh.elements.shape[1]
    identity = np.eye(vertices)
    # mean over the vertices minus the value at the node itself
    difference = 1.0 / vertices - identity
    local = coefficients[:, :, None, :] * difference[None, :, :, None]
    fallback = gradient_matrices(mesh, "area_weighted")
    undetermined = diags_array((~determined).astype(np.float64))
    return tuple(assemble(mesh, local[..., axis]) + undetermined @ fallback[axis] for axis in range(mesh.dimension))


def assemble(mesh: Simplices, local: Float[np.ndarray, "M V V"]) -> Any:
    """Sum local matrices, entry [e, a, b] coupling vertex a (row) to b, into one (N, N) sparse matrix."""
    from scipy.sparse import coo_array

    rows = np.broadcast_to(mesh.elements[:, :, None], local.shape)
    cols = np.broadcast_to(mesh.elements[:, None, :], local.shape)
    size = mesh.n_points
    return coo_array((local.ravel(), (rows.ravel(), cols.ravel())), shape=(size, size)).tocsr()
