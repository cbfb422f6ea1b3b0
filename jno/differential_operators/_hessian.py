"""Hessians: gradient applied twice, one stencil per pair of axes, made exact for cubics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Inexact, Num

from ._consistency import SECOND_ORDER, restore_consistency
from ._gradient import ELEMENT_WEIGHTS, GRADIENT_METHODS, gradient_matrices
from ._simplices import build_simplices
from ._stencil import Stencil, register_immutable, stencil_from_matrix
from ._types import MeshElements, MeshPoints, check_axes, check_choice, documented_stencil

#: (row, axis of the row, column, axis of the column)
VarDims = Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class HessianStencil:
    """Second derivatives for every entry of an n x n matrix; equal pairs of axes share one stencil.

    Attributes:
        stencils: The distinct second derivatives.
        layout: `layout[i][j]` is the index into `stencils` of entry (i, j).
    """

    stencils: tuple[Stencil, ...]
    layout: tuple[tuple[int, ...], ...]

    def apply(self, u: Num[Array | np.ndarray, "nodes ..."]) -> Inexact[Array, "nodes ... n n"]:
        """The Hessian of `u`, shape (N,) -> (N, n, n) or (N, D) -> (N, D, n, n); the dtype is kept."""
        parts = [stencil.apply(u) for stencil in self.stencils]
        rows = [jnp.stack([parts[entry] for entry in row], axis=-1) for row in self.layout]
        return jnp.stack(rows, axis=-2)


register_immutable(HessianStencil, children=("stencils",), static=("layout",))


@documented_stencil
def hessian_stencil(
    points: MeshPoints, elements: MeshElements, var_dims: VarDims, gradient_method: str = "area_weighted"
) -> HessianStencil:
    r"""Build $H_{ij} = \partial_{d_j} \partial_{d_i} u$ on a line, triangle or tetrahedron mesh once.

    Each entry is the plain nodal gradient applied twice, the lower axis first for both orders of a mixed
    derivative, so the Hessian is exactly symmetric. Its rows are corrected and as accurate as those of
    `laplacian_stencil`; the trace is the Laplacian of the method.

    Args:
        var_dims: n² entries (i, d_i, j, d_j): entry (i, j) of the result is the derivative along axes d_i and
            d_j.
        gradient_method: "area_weighted" (default), "uniform", "inverse_distance" or "least_squares".

    Returns:
        A stencil whose `apply` maps (N,) to (N, n, n).

    Raises:
        ValueError: Unknown method or axis, or `var_dims` that do not fill an n x n matrix.
        TypeError: A traced mesh.

    Example:
        >>> import numpy as np
        >>> from jno.differential_operators import hessian_stencil
        >>> x = np.linspace(0.0, 1.0, 9)
        >>> lines = np.stack([np.arange(8), np.arange(1, 9)], axis=1)
        >>> print(hessian_stencil(x, lines, [(0, 0, 0, 0)]).apply(x**2)[4])
        [[2.]]
    """
    check_choice("gradient method", gradient_method, GRADIENT_METHODS)
    mesh = build_simplices(points, elements)
    axes = _axes_of_entries(var_dims, mesh.dimension)
    gradients = gradient_matrices(mesh, gradient_method)
    pairs = sorted(set(axes.values()))
    plain = [gradients[outer] @ gradients[inner] for inner, outer in pairs]
    weights = ELEMENT_WEIGHTS[gradient_method](mesh)
    corrected = restore_consistency(mesh, plain, [(pair,) for pair in pairs], weights, SECOND_ORDER)
    n = isqrt(len(axes))
    layout = tuple(tuple(pairs.index(axes[i, j]) for j in range(n)) for i in range(n))
    return HessianStencil(tuple(map(stencil_from_matrix, corrected)), layout)


def _axes_of_entries(var_dims: VarDims, dimension: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Entry (i, j) -> (lower axis, higher axis), checked to fill a square matrix exactly once."""
    if not isinstance(var_dims, list | tuple) or not all(isinstance(entry, list | tuple) for entry in var_dims):
        raise TypeError(f"var_dims must be a list of entries (i, axis_i, j, axis_j); got {var_dims!r}.")
    entries = [tuple(entry) for entry in var_dims]
    n = isqrt(len(entries))
    places = {(i, j) for i in range(n) for j in range(n)}
    well_formed = bool(entries) and all(len(entry) == 4 for entry in entries) and len(entries) == n * n
    if not well_formed or {(entry[0], entry[2]) for entry in entries} != places:
        raise ValueError(
            "var_dims must hold n² entries (i, axis_i, j, axis_j), one for each i, j in 0 … n - 1; "
            f"got {len(entries)} entries: {entries}."
        )
    for _, row_axis, _, column_axis in entries:
        check_axes("axis in var_dims", (row_axis, column_axis), dimension)
    return {(i, j): (min(row_axis, column_axis), max(row_axis, column_axis)) for i, row_axis, j, column_axis in entries}
