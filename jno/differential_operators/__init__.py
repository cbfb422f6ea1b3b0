"""Derivatives of nodal fields on simplex meshes (lines, triangles, tetrahedra).

`DifferentialOperators` is the public namespace of one-call operators. The three `*_stencil` functions build
the same formulas once per mesh as sparse matrices that are then applied to any number of fields. Averages of
element gradients are consistent only on symmetric patches; `_consistency` corrects all other rows.
"""

from ._gradient import gradient_stencil as gradient_stencil
from ._hessian import HessianStencil as HessianStencil
from ._hessian import hessian_stencil as hessian_stencil
from ._laplacian import laplacian_stencil as laplacian_stencil
from ._operators import DifferentialOperators as DifferentialOperators
from ._scheme import parse_fd_scheme as parse_fd_scheme
from ._stencil import Stencil as Stencil
from ._stencil import StencilTable as StencilTable
