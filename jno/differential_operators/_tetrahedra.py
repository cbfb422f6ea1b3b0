"""Derivative operators on a tetrahedron mesh."""

from __future__ import annotations

from jax import Array
from jaxtyping import Inexact

from ._gradient import gradient_stencil
from ._hessian import hessian_stencil
from ._laplacian import laplacian_stencil
from ._types import MeshElements, MeshPoints, NodalValues, check_choice, check_element_block

_LAPLACIANS = ("gradient_of_gradient", "lsq_of_gradient")


class TetrahedronOperators:
    """The 3-D part of `DifferentialOperators`."""

    @staticmethod
    def compute_fd_gradient_3d_simple(
        u_values: NodalValues,
        points: MeshPoints,
        tetrahedra: MeshElements,
        dim: int,
        method: str = "area_weighted",
    ) -> Inexact[Array, " nodes"]:
        """Gradient component on a tetrahedron mesh: the P1 gradients of the elements, averaged to the nodes.

        Rows that are not exact for quadratics are corrected, see `gradient_stencil`.

        Args:
            u_values: Function values, shape (N,).
            points: Coordinates, shape (N, 3).
            tetrahedra: Tetrahedra, shape (M, 4), in any orientation.
            dim: 0, 1 or 2 for ∂u/∂x, ∂u/∂y or ∂u/∂z.
            method: Element weights: "area_weighted" (default; the volume), "uniform", "inverse_distance" (one
                over the mean distance from the vertices to the centroid); or "least_squares", see
                `compute_gradient_3d_lsq`.

        Returns:
            ∂u/∂x_dim at each node, shape (N,).

        Raises:
            ValueError: Unknown method or axis, or arrays that do not form a tetrahedron mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, tetrahedra = np.vstack([np.zeros(3), np.eye(3)]), np.array([[0, 1, 2, 3]])
            >>> gradient = DifferentialOperators.compute_fd_gradient_3d_simple
            >>> print(gradient(points[:, 2], points, tetrahedra, 2))
            [1. 1. 1. 1.]
        """
        check_element_block("tetrahedra", tetrahedra, 3)
        return gradient_stencil(points, tetrahedra, dim, method).apply(u_values)

    @staticmethod
    def compute_gradient_3d_lsq(
        u_values: NodalValues, points: MeshPoints, tetrahedra: MeshElements, dim: int
    ) -> Inexact[Array, " nodes"]:
        """Least-squares gradient component on a tetrahedron mesh; see `compute_gradient_2d_lsq`.

        Args:
            u_values: Function values, shape (N,).
            points: Coordinates, shape (N, 3).
            tetrahedra: Tetrahedra, shape (M, 4), in any orientation.
            dim: 0, 1 or 2 for ∂u/∂x, ∂u/∂y or ∂u/∂z.

        Returns:
            ∂u/∂x_dim at each node, shape (N,); the volume-weighted gradient at nodes whose incident centroids
            lie in one plane.

        Raises:
            ValueError: Unknown axis, or arrays that do not form a tetrahedron mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, tetrahedra = np.vstack([np.zeros(3), np.eye(3)]), np.array([[0, 1, 2, 3]])
            >>> print(DifferentialOperators.compute_gradient_3d_lsq(points[:, 2], points, tetrahedra, 2))
            [1. 1. 1. 1.]
        """
        check_element_block("tetrahedra", tetrahedra, 3)
        return gradient_stencil(points, tetrahedra, dim, "least_squares").apply(u_values)

    @staticmethod
    def compute_fd_laplacian_3d_simple(
        u_values: NodalValues,
        points: MeshPoints,
        tetrahedra: MeshElements,
        dims: tuple,
        method: str = "gradient_of_gradient",
    ) -> Inexact[Array, " nodes"]:
        r"""Laplacian $\sum_{d \in dims} \partial^2 u/\partial x_d^2$ on a tetrahedron mesh.

        Args:
            u_values: Function values, shape (N,).
            points: Coordinates, shape (N, 3).
            tetrahedra: Tetrahedra, shape (M, 4), in any orientation.
            dims: Distinct axes to sum over, e.g. (0, 1, 2).
            method: "gradient_of_gradient" (default; the volume-weighted gradient twice) or "lsq_of_gradient".

        Returns:
            Laplacian, shape (N,); made exact for cubics, or for quadratics at some boundary nodes, see
            `laplacian_stencil`.

        Raises:
            ValueError: Unknown method or axis, or arrays that do not form a tetrahedron mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, tetrahedra = np.vstack([np.zeros(3), np.eye(3)]), np.array([[0, 1, 2, 3]])
            >>> laplacian = DifferentialOperators.compute_fd_laplacian_3d_simple
            >>> print(laplacian(points[:, 2], points, tetrahedra, (0, 1, 2)))
            [0. 0. 0. 0.]
        """
        check_element_block("tetrahedra", tetrahedra, 3)
        check_choice("3-D Laplacian method", method, _LAPLACIANS)
        return laplacian_stencil(points, tetrahedra, dims, method).apply(u_values)

    @staticmethod
    def compute_fd_hessian_3d_simple(
        u_values: NodalValues, points: MeshPoints, tetrahedra: MeshElements, var_dims: list
    ) -> Inexact[Array, "nodes n n"]:
        """Hessian on a tetrahedron mesh: the volume-weighted gradient twice, corrected, exactly symmetric.

        Args:
            u_values: Function values, shape (N,).
            points: Coordinates, shape (N, 3).
            tetrahedra: Tetrahedra, shape (M, 4), in any orientation.
            var_dims: n² entries (i, dim_i, j, dim_j): entry (i, j) is the derivative along axes dim_i and
                dim_j.

        Returns:
            Hessian, shape (N, n, n).

        Raises:
            ValueError: `var_dims` that do not fill a matrix, or arrays that do not form a tetrahedron mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, tetrahedra = np.vstack([np.zeros(3), np.eye(3)]), np.array([[0, 1, 2, 3]])
            >>> var_dims = [(i, i, j, j) for i in range(3) for j in range(3)]
            >>> hessian = DifferentialOperators.compute_fd_hessian_3d_simple
            >>> hessian(points[:, 0], points, tetrahedra, var_dims).shape
            (4, 3, 3)
        """
        check_element_block("tetrahedra", tetrahedra, 3)
        return hessian_stencil(points, tetrahedra, var_dims).apply(u_values)
