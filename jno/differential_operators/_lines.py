"""Derivative operators on a line mesh."""

from __future__ import annotations

from ._elements import ElementOperators, NodalDerivative, NodalHessian
from ._types import MeshElements, MeshPoints, NodalValues

_LINES = ElementOperators(
    "lines",
    1,
    laplacians=("gradient_of_gradient",),
    mesh="line",
    arguments={
        "points": "Coordinates, shape (N, 1) or (N,).",
        "lines": "Segments, shape (M, 2).",
    },
)


class LineOperators:
    """The 1-D part of `DifferentialOperators`."""

    @staticmethod
    @_LINES.documented_gradient
    def compute_fd_gradient_1d_simple(
        u_values: NodalValues, points: MeshPoints, lines: MeshElements, method: str = "area_weighted"
    ) -> NodalDerivative:
        r"""Gradient on a line mesh: the slopes $(u_1 - u_0)/(x_1 - x_0)$ of the segments, averaged to the
        nodes and made exact for quadratics (second-order accurate at every node; see `gradient_stencil`).

        Args:
            method: Segment weights: "area_weighted" (default; length), "uniform", "inverse_distance" (one
                over half the length) or "least_squares". Once the average is exact for quadratics all of them
                give the three-point formula; they differ on meshes of one or two segments only.

        Returns:
            du/dx at each node, shape (N,).

        Raises:
            ValueError: Unknown method, or arrays that do not form a line mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> x, lines = np.array([0.0, 0.5, 2.0]), np.array([[0, 1], [1, 2]])
            >>> print(DifferentialOperators.compute_fd_gradient_1d_simple(2.0 * x, x, lines))
            [2. 2. 2.]
        """
        return _LINES.gradient(u_values, points, lines, 0, method)

    @staticmethod
    @_LINES.documented_laplacian
    def compute_fd_laplacian_1d_simple(
        u_values: NodalValues, points: MeshPoints, lines: MeshElements, method: str = "gradient_of_gradient"
    ) -> NodalDerivative:
        """Laplacian on a line mesh: the length-weighted gradient applied twice, made exact for cubics.

        Args:
            method: "gradient_of_gradient" (the only option in 1-D).

        Returns:
            d²u/dx² at each node, shape (N,); second-order accurate, see `laplacian_stencil`.

        Raises:
            ValueError: Unknown method, or arrays that do not form a line mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> x = np.linspace(0.0, 1.0, 9)
            >>> lines = np.stack([np.arange(8), np.arange(1, 9)], axis=1)
            >>> print(DifferentialOperators.compute_fd_laplacian_1d_simple(x**2, x, lines)[2:-2])
            [2. 2. 2. 2. 2.]
        """
        return _LINES.laplacian(u_values, points, lines, (0,), method)

    @staticmethod
    @_LINES.documented_hessian
    def compute_fd_hessian_1d_simple(
        u_values: NodalValues, points: MeshPoints, lines: MeshElements, var_dims: list | None = None
    ) -> NodalHessian:
        """Hessian (d²u/dx²) on a line mesh.

        Args:
            var_dims: n² entries (i, dim_i, j, dim_j); None (default) means [(0, 0, 0, 0)].

        Returns:
            Hessian, shape (N, n, n), (N, 1, 1) by default.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> x = np.linspace(0.0, 1.0, 9)
            >>> lines = np.stack([np.arange(8), np.arange(1, 9)], axis=1)
            >>> DifferentialOperators.compute_fd_hessian_1d_simple(x**2, x, lines).shape
            (9, 1, 1)
        """
        entries = [(0, 0, 0, 0)] if var_dims is None else var_dims
        return _LINES.hessian(u_values, points, lines, entries)
