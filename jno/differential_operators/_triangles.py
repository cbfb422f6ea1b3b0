"""Derivative operators on a triangle mesh."""

from __future__ import annotations

from ._elements import ElementOperators, NodalDerivative, NodalHessian
from ._types import MeshElements, MeshPoints, NodalValues

_TRIANGLES = ElementOperators(
    "triangles",
    2,
    laplacians=("gradient_of_gradient", "cotangent", "lsq_of_gradient"),
    mesh="triangle",
    arguments={
        "points": "Coordinates, shape (N, 2).",
        "triangles": "Triangles, shape (M, 3), in any orientation.",
        "dim": "0 for ∂u/∂x, 1 for ∂u/∂y.",
    },
)


class TriangleOperators:
    """The 2-D part of `DifferentialOperators`."""

    @staticmethod
    @_TRIANGLES.documented_gradient
    def compute_fd_gradient_2d_simple(
        u_values: NodalValues, points: MeshPoints, triangles: MeshElements, dim: int, method: str = "area_weighted"
    ) -> NodalDerivative:
        """Gradient component on a triangle mesh: the P1 gradients of the triangles, averaged to the nodes.

        Rows that are not exact for quadratics are corrected, so the result is second-order accurate at every
        node, also on irregular meshes and at the boundary; see `gradient_stencil`.

        Args:
            method: Triangle weights: "area_weighted" (default), "uniform", "inverse_distance" (one over the
                mean distance from the vertices to the centroid); or "least_squares", see
                `compute_gradient_2d_lsq`.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, triangles = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([[0, 1, 2]])
            >>> u = points[:, 0] + 2.0 * points[:, 1]
            >>> print(DifferentialOperators.compute_fd_gradient_2d_simple(u, points, triangles, 1))
            [2. 2. 2.]
        """
        return _TRIANGLES.gradient(u_values, points, triangles, dim, method)

    @staticmethod
    @_TRIANGLES.documented_gradient
    def compute_gradient_2d_lsq(
        u_values: NodalValues, points: MeshPoints, triangles: MeshElements, dim: int
    ) -> NodalDerivative:
        r"""Least-squares gradient component on a triangle mesh.

        At node i it minimises $\sum_{e \ni i} |e| (g \cdot (c_e - x_i) - (\bar u_e - u_i))^2$ over the
        incident triangles with centroids $c_e$ and mean values $\bar u_e$. Nodes whose centroids lie on one
        line (a corner with one triangle) take the area-weighted gradient. Rows that are not exact for
        quadratics are corrected, see `gradient_stencil`.

        Raises:
            ValueError: Unknown axis, or arrays that do not form a triangle mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
            >>> u = 3.0 * points[:, 0]
            >>> gradient = DifferentialOperators.compute_gradient_2d_lsq
            >>> print(gradient(u, points, np.array([[0, 1, 2], [0, 2, 3]]), 0))
            [3. 3. 3. 3.]
        """
        return _TRIANGLES.gradient(u_values, points, triangles, dim, "least_squares")

    @staticmethod
    @_TRIANGLES.documented_laplacian
    def compute_fd_laplacian_2d_simple(
        u_values: NodalValues,
        points: MeshPoints,
        triangles: MeshElements,
        dims: tuple,
        method: str = "gradient_of_gradient",
    ) -> NodalDerivative:
        r"""Laplacian $\sum_{d \in dims} \partial^2 u/\partial x_d^2$ on a triangle mesh.

        Args:
            dims: Distinct axes to sum over, e.g. (0, 1).
            method: "gradient_of_gradient" (default; the area-weighted gradient twice), "lsq_of_gradient" (the
                least-squares gradient twice) or "cotangent" (see `compute_laplacian_2d_cotangent`; one axis
                gives that part of it).

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
            >>> triangles = np.array([[0, 1, 2], [0, 2, 3]])
            >>> laplacian = DifferentialOperators.compute_fd_laplacian_2d_simple
            >>> print(laplacian(points[:, 0], points, triangles, (0, 1)))
            [0. 0. 0. 0.]
        """
        return _TRIANGLES.laplacian(u_values, points, triangles, dims, method)

    @staticmethod
    @_TRIANGLES.documented_laplacian
    def compute_laplacian_2d_cotangent(
        u_values: NodalValues, points: MeshPoints, triangles: MeshElements
    ) -> NodalDerivative:
        r"""Cotangent (Laplace–Beltrami) Laplacian on a triangle mesh.

        $(\Delta u)_i = \frac{1}{2 A_i} \sum_j (\cot\alpha_{ij} + \cot\beta_{ij}) (u_j - u_i)$ with the angles
        opposite edge ij and $A_i$ a third of the area of the incident triangles (Pinkall and Polthier,
        Experiment. Math. 2, 1993). Cotangents are not clipped. The formula alone is consistent only where the
        mesh is point-symmetric around a node, and lacks the boundary flux; all other rows are corrected to be
        exact for cubics, or for quadratics at some boundary nodes, see `laplacian_stencil`. So x² + y² gives 4
        at every node.

        Returns:
            Laplacian, shape (N,).

        Raises:
            ValueError: Arrays that do not form a triangle mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> angle = np.arange(6) * np.pi / 3.0
            >>> points = np.concatenate([np.zeros((1, 2)), np.stack([np.cos(angle), np.sin(angle)], axis=1)])
            >>> ring = np.arange(1, 7)
            >>> triangles = np.stack([np.zeros(6, int), ring, np.roll(ring, -1)], axis=1)
            >>> u = (points**2).sum(axis=1)
            >>> laplacian = DifferentialOperators.compute_laplacian_2d_cotangent
            >>> print(round(float(laplacian(u, points, triangles)[0]), 4))
            4.0
        """
        return _TRIANGLES.laplacian(u_values, points, triangles, (0, 1), "cotangent")

    @staticmethod
    @_TRIANGLES.documented_hessian
    def compute_fd_hessian_2d_simple(
        u_values: NodalValues, points: MeshPoints, triangles: MeshElements, var_dims: list
    ) -> NodalHessian:
        """Hessian on a triangle mesh: the area-weighted gradient twice, corrected, exactly symmetric.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> points, triangles = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([[0, 1, 2]])
            >>> var_dims = [(0, 0, 0, 0), (0, 0, 1, 1), (1, 1, 0, 0), (1, 1, 1, 1)]
            >>> hessian = DifferentialOperators.compute_fd_hessian_2d_simple
            >>> hessian(points[:, 0], points, triangles, var_dims).shape
            (3, 2, 2)
        """
        return _TRIANGLES.hessian(u_values, points, triangles, var_dims)
