"""Laplacians: gradient applied twice, and the cotangent (P1 stiffness) formula."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._gradient import GRADIENT_METHODS, assemble, gradient_matrices
from ._simplices import Simplices, boundary_nodes, build_simplices
from ._stencil import Stencil, stencil_from_matrix
from ._types import MeshElements, MeshPoints, check_axes, check_choice


def laplacian_stencil(
    points: MeshPoints,
    elements: MeshElements,
    dims: Sequence[int],
    method: str = "gradient_of_gradient",
    gradient_method: str | None = None,
) -> Stencil:
    r"""Build $\sum_{d \in dims} \partial^2 u/\partial x_d^2$ on a line, triangle or tetrahedron mesh once.

    Methods:

    * "gradient_of_gradient": the nodal gradient applied twice. Constant and affine fields give zero at every
      node. The recovered gradient is one order less accurate at boundary nodes, so the Laplacian is
      consistent only at nodes that are two elements or more away from the boundary.
    * "lsq_of_gradient": the same with least-squares gradients.
    * "cotangent": $-\sum_e |e| \nabla\varphi_i \cdot \nabla u|_e / m_i$ with lumped mass
      $m_i = \sum_{e \ni i} |e| / (D + 1)$. On triangles this is
      $\frac{1}{2 A_i} \sum_j (\cot\alpha_{ij} + \cot\beta_{ij}) (u_j - u_i)$ with $A_i$ a third of the
      incident area (Pinkall and Polthier, Experiment. Math. 2, 1993). Cotangents are not clipped. The formula
      lacks the flux through the boundary, so a boundary node takes the mean over its interior neighbours
      instead (a node without one, the mean over its boundary neighbours with one, and so on; a mesh without
      interior nodes keeps the formula).

    Args:
        points: Coordinates, shape (N, D) with D = 1, 2, 3 ((N,) is accepted in 1-D).
        elements: Node indices, shape (M, D + 1), in any orientation. Degenerate elements are ignored.
        dims: Distinct axes to sum over. A subset gives partial second derivatives, which add up to the whole.
        method: One of the above.
        gradient_method: Node weights of "gradient_of_gradient": "area_weighted" (default), "uniform",
            "inverse_distance" or "least_squares". The other methods have only one: "least_squares" for
            "lsq_of_gradient", "area_weighted" for "cotangent".

    Returns:
        A stencil; nodes without elements get zero.

    Raises:
        ValueError: Unknown method, axis or combination, or arrays that do not form a simplex mesh.
        TypeError: A traced mesh.

    Example:
        >>> import numpy as np
        >>> from jno.differential_operators import laplacian_stencil
        >>> x = np.linspace(0.0, 1.0, 5)
        >>> lines = np.stack([np.arange(4), np.arange(1, 5)], axis=1)
        >>> print(laplacian_stencil(x, lines, dims=(0,), method="cotangent").apply(x**2))
        [2. 2. 2. 2. 2.]
    """
    check_choice("Laplacian method", method, LAPLACIANS)
    build, gradient_methods = LAPLACIANS[method]
    weights = gradient_methods[0] if gradient_method is None else gradient_method
    check_choice(f"gradient method of {method!r}", weights, gradient_methods)
    mesh = build_simplices(points, elements)
    axes = tuple(dims)
    check_axes("dims", axes, mesh.dimension)
    if not axes or len(set(axes)) != len(axes):
        raise ValueError(f"dims must name at least one axis and none twice; got {axes}.")
    return stencil_from_matrix(build(mesh, axes, weights))


def _gradient_of_gradient(mesh: Simplices, dims: tuple[int, ...], gradient_method: str) -> Any:
    """The sum of squared gradient matrices."""
    gradients = gradient_matrices(mesh, gradient_method)
    return sum((gradients[axis] @ gradients[axis] for axis in dims[1:]), gradients[dims[0]] @ gradients[dims[0]])


def _cotangent(mesh: Simplices, dims: tuple[int, ...], gradient_method: str) -> Any:
    """Minus the P1 stiffness matrix over the lumped mass, with extrapolated boundary rows."""
    del gradient_method  # the element gradient itself; every caller passes the one allowed name
    vertices = mesh.elements.shape[1]
    mass = np.bincount(mesh.elements.ravel(), np.repeat(mesh.measures / vertices, vertices), mesh.n_points)
    share = mesh.measures[:, None] / np.where(mass > 0, mass, 1.0)[mesh.elements]
    gradients = mesh.shape_gradients[:, :, list(dims)]
    local = -share[:, :, None] * np.einsum("ead,ebd->eab", gradients, gradients)
    return _extrapolate_to_boundary(mesh, assemble(mesh, local))


def _extrapolate_to_boundary(mesh: Simplices, matrix: Any) -> Any:
    """Replace the rows of boundary nodes by the mean of the rows of their already known neighbours."""
    from scipy.sparse import diags_array

    vertices = mesh.elements.shape[1]
    adjacency = assemble(mesh, np.ones((len(mesh.elements), vertices, vertices)))
    adjacency.data[:] = 1.0
    known = ~boundary_nodes(mesh)
    while True:
        known_neighbours = adjacency @ known.astype(np.float64)
        reached = ~known & (known_neighbours > 0)
        if not reached.any():
            return matrix
        mean = diags_array(reached / np.where(reached, known_neighbours, 1.0))
        keep = diags_array((~reached).astype(np.float64))
        matrix = keep @ matrix + mean @ adjacency @ diags_array(known.astype(np.float64)) @ matrix
        known = known | reached


_Builder = Callable[[Simplices, tuple[int, ...], str], Any]
#: method: (builder, gradient methods it works with; the first is the default)
LAPLACIANS: dict[str, tuple[_Builder, tuple[str, ...]]] = {
    "gradient_of_gradient": (_gradient_of_gradient, GRADIENT_METHODS),
    "cotangent": (_cotangent, ("area_weighted",)),
    "lsq_of_gradient": (_gradient_of_gradient, ("least_squares",)),
}
