"""Laplacians: gradient applied twice, and the cotangent (P1 stiffness) formula, made exact for cubics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._consistency import SECOND_ORDER, restore_consistency
from ._gradient import ELEMENT_WEIGHTS, GRADIENT_METHODS, assemble, gradient_matrices
from ._simplices import Simplices, build_simplices
from ._stencil import Stencil, stencil_from_matrix
from ._types import MeshElements, MeshPoints, check_axes, check_choice, documented_stencil


@documented_stencil
def laplacian_stencil(
    points: MeshPoints,
    elements: MeshElements,
    dims: Sequence[int],
    method: str = "gradient_of_gradient",
    gradient_method: str | None = None,
) -> Stencil:
    r"""Build $\sum_{d \in dims} \partial^2 u/\partial x_d^2$ on a line, triangle or tetrahedron mesh once.

    Methods:

    * "gradient_of_gradient": the plain nodal gradient (before its own correction) applied twice.
    * "lsq_of_gradient": the same with least-squares gradients.
    * "cotangent": $-\sum_e |e| \nabla\varphi_i \cdot \nabla u|_e / m_i$ with lumped mass
      $m_i = \sum_{e \ni i} |e| / (D + 1)$. On triangles this is
      $\frac{1}{2 A_i} \sum_j (\cot\alpha_{ij} + \cot\beta_{ij}) (u_j - u_i)$ with $A_i$ a third of the
      incident area (Pinkall and Polthier, Experiment. Math. 2, 1993). Cotangents are not clipped.

    These formulas are exact for cubic u only where the mesh is point-symmetric around a node, and at boundary
    nodes they are not even consistent. Every row that is not exact for cubics is replaced by the nearest one
    that is, over two or three rings of elements (see `gradient_stencil` for the norm and the sources); where
    these do not determine a cubic, by the nearest one that is exact for quadratics. The Laplacian is then of
    second order at the nodes where cubics are determined, which on shape-regular meshes are all interior ones
    and most of the boundary, and of first order at the rest. Constant fields give exactly zero.

    Args:
        dims: Distinct axes to sum over. A subset gives partial second derivatives, which add up to the whole.
        method: One of the above.
        gradient_method: Node weights of "gradient_of_gradient": "area_weighted" (default), "uniform",
            "inverse_distance" or "least_squares". The other methods have only one: "least_squares" for
            "lsq_of_gradient", "area_weighted" for "cotangent".

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
    axes = tuple(dims) if isinstance(dims, list | tuple | np.ndarray) else (dims,)
    check_axes("dims", axes, mesh.dimension)
    if not axes or len(set(axes)) != len(axes):
        raise ValueError(f"dims must name at least one axis and none twice; got {axes}.")
    plain = build(mesh, axes, weights)
    laplacian = tuple((axis, axis) for axis in axes)
    element_weights = ELEMENT_WEIGHTS[weights](mesh)
    return stencil_from_matrix(restore_consistency(mesh, (plain,), (laplacian,), element_weights, SECOND_ORDER)[0])


def _gradient_of_gradient(mesh: Simplices, dims: tuple[int, ...], gradient_method: str) -> Any:
    """The sum of squared gradient matrices."""
    gradients = gradient_matrices(mesh, gradient_method)
    return sum((gradients[axis] @ gradients[axis] for axis in dims[1:]), gradients[dims[0]] @ gradients[dims[0]])


def _cotangent(mesh: Simplices, dims: tuple[int, ...], gradient_method: str) -> Any:
    """Minus the P1 stiffness matrix over the lumped mass; boundary rows lack the flux through the boundary."""
    del gradient_method  # the element gradient itself; every caller passes the one allowed name
    vertices = mesh.elements.shape[1]
    mass = np.bincount(mesh.elements.ravel(), np.repeat(mesh.measures / vertices, vertices), mesh.n_points)
    share = mesh.measures[:, None] / np.where(mass > 0, mass, 1.0)[mesh.elements]
    gradients = mesh.shape_gradients[:, :, list(dims)]
    local = -share[:, :, None] * np.einsum("ead,ebd->eab", gradients, gradients)
    return assemble(mesh, local)


_Builder = Callable[[Simplices, tuple[int, ...], str], Any]
#: method: (builder, gradient methods it works with; the first is the default)
LAPLACIANS: dict[str, tuple[_Builder, tuple[str, ...]]] = {
    "gradient_of_gradient": (_gradient_of_gradient, GRADIENT_METHODS),
    "cotangent": (_cotangent, ("area_weighted",)),
    "lsq_of_gradient": (_gradient_of_gradient, ("least_squares",)),
}
