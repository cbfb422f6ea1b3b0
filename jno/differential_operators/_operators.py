"""The public namespace of mesh-based derivative operators."""

from ._lines import LineOperators
from ._scheme import parse_fd_scheme
from ._tetrahedra import TetrahedronOperators
from ._triangles import TriangleOperators


class DifferentialOperators(LineOperators, TriangleOperators, TetrahedronOperators):
    """Static collection of mesh-based derivative operators in 1-D, 2-D and 3-D.

    Every operator maps nodal values (N,) to nodal derivatives and keeps their dtype; it is linear in them,
    works under `jax.jit` and `jax.vmap`, and is differentiable with respect to them. Points and elements must
    be concrete arrays (close over them under `jit`). Elements may have any orientation; degenerate ones are
    ignored; nodes without elements get zero. The averaging formulas are corrected where the mesh is irregular
    and at its boundary: gradients are second-order accurate at every node, second derivatives at interior
    nodes and of first order at least on the boundary. All operators raise ValueError for unknown methods, axes that
    the mesh does not have and arrays whose shapes do not fit together.

    Each call assembles the sparse matrix of the operator on the host. To apply one operator many times
    outside `jit`, build it once with `gradient_stencil`, `laplacian_stencil` or `hessian_stencil`.

    Example:
        >>> import numpy as np
        >>> from jno import DifferentialOperators
        >>> points = np.linspace(0.0, 1.0, 5)[:, None]
        >>> lines = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
        >>> DifferentialOperators.compute_fd_gradient_1d_simple(points[:, 0] ** 2, points, lines).round(4).tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0]
    """

    parse_fd_scheme = staticmethod(parse_fd_scheme)
