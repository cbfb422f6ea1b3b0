"""Derivative operators on a line mesh."""

from __future__ import annotations

from jax import Array
from jaxtyping import Inexact

from ._gradient import gradient_stencil
from ._hessian import VarDims, hessian_stencil
from ._laplacian import laplacian_stencil
from ._types import MeshElements, MeshPoints, NodalValues, check_choice, check_element_block

_LAPLACIANS = ("gradient_of_gradient",)


class LineOperators:
    """The 1-D part of `DifferentialOperators`."""

    @staticmethod
    def compute_fd_gradient_1d_simple(
        u_values: NodalValues, points: MeshPoints, lines: MeshElements, method: str = "area_weighted"
    ) -> Inexact[Array, " nodes"]:
        r"""Gradient on a line mesh: the slopes $(u_1 - u_0)/(x_1 - x_0)$ of the segments, averaged to the
        nodes and made exact for quadratics (second-order accurate at every node; see `gradient_stencil`).

        Args:
            u_values: Function values, shape (N,).
            points: Coordinates, shape (N, 1) or (N,).
            lines: Segments, shape (M, 2).
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
        check_element_block("lines", lines, 1)
        return gradient_stencil(points, lines, 0, method).apply(u_values)

    @staticmethod
    def compute_fd_laplacian_1d_simple(
        u_values: NodalValues, points: MeshPoints, lines: MeshElements, method: str = "gradient_of_gradient"
    ) -> Inexact[Array, " nodes"]:
        """Laplacian on a line mesh: the length-weighted gradient applied twice, made exact for cubics.

        Args:
            u_values: Function values, shape (N,).
            points: Coordinates, shape (N, 1) or (N,).
            lines: Segments, shape (M, 2).
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
        check_element_block("lines", lines, 1)
        check_choice("1-D Laplacian method", method, _LAPLACIANS)
        return laplacian_stencil(points, lines, (0,), method).apply(u_values)

    @staticmethod
    def compute_fd_hessian_1d_simple(
        u_values: NodalValues, points: MeshPoints, lines: MeshElements, var_dims: list | None = None
    ) -> Inexact[Array, "nodes n n"]:
        """Hessian (d²u/dx²) on a line mesh.

        Args:
            u_values: Function values, shape (N,).
            points: Coordinates, shape (N, 1) or (N,).
            lines: Segments, shape (M, 2).
            var_dims: n² entries (i, dim_i, j, dim_j); None (default) means [(0, 0, 0, 0)].

        Returns:
            Hessian, shape (N, n, n), (N, 1, 1) by default.

        Raises:
            ValueError: `var_dims` that do not fill a matrix, or arrays that do not form a line mesh.

        Example:
            >>> import numpy as np
            >>> from jno.differential_operators import DifferentialOperators
            >>> x = np.linspace(0.0, 1.0, 9)
            >>> lines = np.stack([np.arange(8), np.arange(1, 9)], axis=1)
            >>> DifferentialOperators.compute_fd_hessian_1d_simple(x**2, x, lines).shape
            (9, 1, 1)
        """
        check_element_block("lines", lines, 1)
        entries: VarDims = [(0, 0, 0, 0)] if var_dims is None else var_dims
        return hessian_stencil(points, lines, entries).apply(u_values)
