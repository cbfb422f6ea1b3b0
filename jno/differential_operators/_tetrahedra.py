"""Derivative operators on a tetrahedron mesh."""

from __future__ import annotations

from ._elements import ElementOperators, NodalDerivative, NodalHessian
from ._types import MeshElements, MeshPoints, NodalValues

_TETRAHEDRA = ElementOperators(
    "tetrahedra",
    3,
    laplacians=("gradient_of_gradient", "lsq_of_gradient"),
    mesh="tetrahedron",
    arguments={
        "points": "Coordinates, shape (N, 3).",
        "tetrahedra": "Tetrahedra, shape (M, 4), in any orientation.",
        "dim": "0, 1 or 2 for ∂u/∂x, ∂u/∂y or ∂u/∂z.",
    },
)


class TetrahedronOperators:
    """The 3-D part of `DifferentialOperators`."""

    @staticmethod
    @_TETRAHEDRA.documented_gradient
    def compute_fd_gradient_3d_simple(
        u_values: NodalValues, points: MeshPoints, tetrahedra: MeshElements, dim: int, method: str = "area_weighted"
    ) -> NodalDerivative:
        """Gradient component on a tetrahedron mesh: the P1 gradients of the elements, averaged to the nodes.

        Rows that are not exact for quadratics are corrected, see `gradient_stencil`.

        Args:
            method: Element weights: "area_weighted" (default; the volume), "uniform", "inverse_distance" (one
                over the mean distance from the vertices to the centroid); or "least_squares", see
                `compute_gradient_3d_lsq`.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, tetrahedra = np.vstack([np.zeros(3), np.eye(3)]), np.array([[0, 1, 2, 3]])
            >>> gradient = DifferentialOperators.compute_fd_gradient_3d_simple
            >>> print(gradient(points[:, 2], points, tetrahedra, 2))
            [1. 1. 1. 1.]
        """
        return _TETRAHEDRA.gradient(u_values, points, tetrahedra, dim, method)

    @staticmethod
    @_TETRAHEDRA.documented_gradient
    def compute_gradient_3d_lsq(
        u_values: NodalValues, points: MeshPoints, tetrahedra: MeshElements, dim: int
    ) -> NodalDerivative:
        """Least-squares gradient component on a tetrahedron mesh; see `compute_gradient_2d_lsq`.

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
        return _TETRAHEDRA.gradient(u_values, points, tetrahedra, dim, "least_squares")

    @staticmethod
    @_TETRAHEDRA.documented_laplacian
    def compute_fd_laplacian_3d_simple(
        u_values: NodalValues,
        points: MeshPoints,
        tetrahedra: MeshElements,
        dims: tuple,
        method: str = "gradient_of_gradient",
    ) -> NodalDerivative:
        r"""Laplacian $\sum_{d \in dims} \partial^2 u/\partial x_d^2$ on a tetrahedron mesh.

        Args:
            dims: Distinct axes to sum over, e.g. (0, 1, 2).
            method: "gradient_of_gradient" (default; the volume-weighted gradient twice) or "lsq_of_gradient".

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, tetrahedra = np.vstack([np.zeros(3), np.eye(3)]), np.array([[0, 1, 2, 3]])
            >>> laplacian = DifferentialOperators.compute_fd_laplacian_3d_simple
            >>> print(laplacian(points[:, 2], points, tetrahedra, (0, 1, 2)))
            [0. 0. 0. 0.]
        """
        return _TETRAHEDRA.laplacian(u_values, points, tetrahedra, dims, method)

    @staticmethod
    @_TETRAHEDRA.documented_hessian
    def compute_fd_hessian_3d_simple(
        u_values: NodalValues, points: MeshPoints, tetrahedra: MeshElements, var_dims: list
    ) -> NodalHessian:
        """Hessian on a tetrahedron mesh: the volume-weighted gradient twice, corrected, exactly symmetric.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, tetrahedra = np.vstack([np.zeros(3), np.eye(3)]), np.array([[0, 1, 2, 3]])
            >>> var_dims = [(i, i, j, j) for i in range(3) for j in range(3)]
            >>> hessian = DifferentialOperators.compute_fd_hessian_3d_simple
            >>> hessian(points[:, 0], points, tetrahedra, var_dims).shape
            (4, 3, 3)
        """
        return _TETRAHEDRA.hessian(u_values, points, tetrahedra, var_dims)
