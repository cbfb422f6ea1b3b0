"""Quadrature weights on the nodes of a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

#: dimension: key of the element block in the mesh connectivity
_ELEMENT_BLOCKS = {1: "lines", 2: "triangles", 3: "tetrahedra"}


class IntegrationOperators:
    """Static namespace for mesh-based numerical integration.

    Works on the `mesh_connectivity` dictionary of a domain, which already holds the boundary weights
    (`nodal_ds`).

    Example:
        >>> import jno
        >>> domain = jno.domain.rect(mesh_size=0.25)
        >>> weights = jno.IntegrationOperators.nodal_volumes(domain.mesh_connectivity)
        >>> x, y = domain.points.T
        >>> round(float(weights @ (x + y)), 6)
        1.0
    """

    @staticmethod
    def nodal_volumes(mesh_connectivity: Mapping[str, Any]) -> Float[np.ndarray, " n_points"]:
        r"""Volume weight of every node, $w_i = \frac{1}{D + 1} \sum_{e \ni i} |e|$.

        $\sum_i w_i f_i$ is the exact integral of the piecewise linear interpolant of f: half the length of
        the adjacent segments (trapezoidal rule), a third of the incident triangle areas, a quarter of the
        incident tetrahedron volumes. The orientation of the elements does not matter.

        Args:
            mesh_connectivity: Mesh of a domain. `"nodal_volumes"` is returned when it is stored. Otherwise
                `"dimension"` (1, 2, 3), `"points"` (N, D or more; (N,) in 1-D) and the element block
                `"lines"` (M, 2), `"triangles"` (M, 3) or `"tetrahedra"` (M, 4) are needed.

        Returns:
            Weights, shape (N,), in length, area or volume units. They sum to the measure of the domain.

        Raises:
            ValueError: Another dimension, a missing key, or elements that do not fit the dimension or the
                points.

        Example:
            >>> import numpy as np
            >>> from jno.integration_operators import IntegrationOperators
            >>> points, lines = np.array([0.0, 1.0, 3.0]), np.array([[0, 1], [1, 2]])
            >>> mesh = {"dimension": 1, "points": points, "lines": lines}
            >>> print(IntegrationOperators.nodal_volumes(mesh))
            [0.5 1.5 1. ]
        """
        if not isinstance(mesh_connectivity, Mapping):
            raise TypeError(f"mesh_connectivity must be that of a domain, a mapping; got {mesh_connectivity!r}.")
        stored = mesh_connectivity.get("nodal_volumes")
        if stored is not None:
            weights = np.asarray(stored)
            return weights if weights.dtype.kind == "f" else weights.astype(np.float64)
        points, elements = _elements_of(mesh_connectivity)
        share = _measures(points[elements]) / elements.shape[1]
        return np.bincount(elements.ravel(), np.repeat(share, elements.shape[1]), minlength=len(points))


def _elements_of(
    mesh_connectivity: Mapping[str, Any],
) -> tuple[Float[np.ndarray, "N space"], Int[np.ndarray, "M vertices"]]:
    """Points and elements of the mesh, checked against its dimension."""
    dimension = mesh_connectivity.get("dimension")
    if dimension not in _ELEMENT_BLOCKS:
        raise ValueError(f"Unsupported dimension {dimension!r} in mesh_connectivity['dimension']; allowed: 1, 2, 3.")
    block = _ELEMENT_BLOCKS[dimension]
    for key in ("points", block):
        if mesh_connectivity.get(key) is None:
            raise ValueError(
                f"mesh_connectivity of dimension {dimension} needs {key!r}; got {list(mesh_connectivity)}."
            )
    points = np.asarray(mesh_connectivity["points"], dtype=np.float64)
    points = points[:, None] if points.ndim == 1 else points
    elements = np.asarray(mesh_connectivity[block], dtype=np.int64)
    if elements.ndim != 2 or elements.shape[1] != dimension + 1:
        raise ValueError(f"{block!r} must have shape (M, {dimension + 1}); got {elements.shape}.")
    if points.ndim != 2 or points.shape[1] < dimension:
        raise ValueError(f"'points' must have shape (N, {dimension}) or more columns; got {points.shape}.")
    if elements.size and not 0 <= elements.min() <= elements.max() < len(points):
        raise ValueError(
            f"{block!r} must hold node indices 0 … {len(points) - 1}; got {elements.min()} … {elements.max()}."
        )
    return points, elements


def _measures(vertices: Float[np.ndarray, "M vertices space"]) -> Float[np.ndarray, " M"]:
    """Length, area or volume of simplices, also of those embedded in a space of higher dimension."""
    edges = vertices[:, 1:] - vertices[:, :1]
    dimension, space = edges.shape[1:]
    if dimension == space:
        return np.abs(np.linalg.det(edges)) / factorial(dimension)
    # The product of singular values is the Gram root without squaring the condition of flat elements.
    return np.linalg.svd(edges, compute_uv=False).prod(axis=1) / factorial(dimension)
