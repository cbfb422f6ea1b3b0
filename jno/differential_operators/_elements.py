"""The operators on the elements of one dimension: segments, triangles or tetrahedra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jax import Array
from jaxtyping import Inexact

from jno.utils import SharedDocumentation

from ._gradient import gradient_stencil
from ._hessian import VarDims, hessian_stencil
from ._laplacian import laplacian_stencil
from ._types import MeshElements, MeshPoints, NodalValues, check_choice, check_element_block

NodalDerivative = Inexact[Array, "nodes"]
NodalHessian = Inexact[Array, "nodes n n"]

_VAR_DIMS = "n² entries (i, dim_i, j, dim_j): entry (i, j) is the derivative along axes dim_i and dim_j."


@dataclass(frozen=True)
class ElementOperators:
    """Checks that elements are of one kind, applies the stencils of their mesh, and documents both.

    Attributes:
        name: what messages call the elements.
        dimension: of the mesh; an element has one node more.
        laplacians: the methods that the Laplacian has here.
        mesh: what docstrings call the mesh.
        arguments: what docstrings say of the points, the elements and the axis.
    """

    name: str
    dimension: int
    laplacians: tuple[str, ...]
    mesh: str
    arguments: Mapping[str, str]

    @property
    def documented_gradient(self) -> SharedDocumentation:
        """What the docstrings of gradients have in common."""
        return SharedDocumentation(
            {"u_values": "Function values, shape (N,).", **self.arguments},
            returns="∂u/∂x_dim at each node, shape (N,).",
            raises={"ValueError": f"Unknown method or axis, or arrays that do not form a {self.mesh} mesh."},
        )

    @property
    def documented_laplacian(self) -> SharedDocumentation:
        """What the docstrings of Laplacians have in common."""
        exact = "made exact for cubics, or for quadratics at some boundary nodes, see `laplacian_stencil`"
        return self.documented_gradient.extended({}, returns=f"Laplacian, shape (N,); {exact}.")

    @property
    def documented_hessian(self) -> SharedDocumentation:
        """What the docstrings of Hessians have in common."""
        return self.documented_gradient.extended(
            {"var_dims": _VAR_DIMS},
            returns="Hessian, shape (N, n, n).",
            raises={
                "ValueError": f"`var_dims` that do not fill a matrix, or arrays that do not form a {self.mesh} mesh."
            },
        )

    def gradient(
        self, u_values: NodalValues, points: MeshPoints, elements: MeshElements, dim: int, method: str
    ) -> NodalDerivative:
        """One component of the gradient."""
        check_element_block(self.name, elements, self.dimension)
        return gradient_stencil(points, elements, dim, method).apply(u_values)

    def laplacian(
        self, u_values: NodalValues, points: MeshPoints, elements: MeshElements, dims: tuple[int, ...], method: str
    ) -> NodalDerivative:
        """The sum of the second derivatives along some axes."""
        check_element_block(self.name, elements, self.dimension)
        check_choice(f"{self.dimension}-D Laplacian method", method, self.laplacians)
        return laplacian_stencil(points, elements, dims, method).apply(u_values)

    def hessian(
        self, u_values: NodalValues, points: MeshPoints, elements: MeshElements, var_dims: VarDims
    ) -> NodalHessian:
        """The matrix of second derivatives."""
        check_element_block(self.name, elements, self.dimension)
        return hessian_stencil(points, elements, var_dims).apply(u_values)
