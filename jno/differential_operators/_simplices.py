"""Geometry of a P1 simplex mesh in any dimension: measures and shape-function gradients."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import jax
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, Num

from ._types import MeshElements, MeshPoints, checked_array

#: An element flatter than this fraction of (longest edge)**dimension has no usable gradient.
FLATNESS = 1e-12


@dataclass(frozen=True, eq=False)
class Simplices:
    """Points, connectivity, |e| and the constant gradients of the barycentric coordinates of every element.

    Degenerate elements have measure and gradients zero, so every measure-weighted sum ignores them.
    """

    points: Float[np.ndarray, "N D"]
    elements: Int[np.ndarray, "M V"]
    measures: Float[np.ndarray, " M"]
    shape_gradients: Float[np.ndarray, "M V D"]

    @property
    def dimension(self) -> int:
        """Space dimension D; an element has D + 1 vertices."""
        return self.points.shape[1]

    @property
    def n_points(self) -> int:
        """Number of mesh nodes, including those that belong to no element."""
        return self.points.shape[0]


def build_simplices(points: MeshPoints, elements: MeshElements) -> Simplices:
    """Check the mesh and compute its element geometry; elements may have either orientation."""
    nodes, connectivity, resolution = _validated(points, elements)
    dimension = nodes.shape[1]
    vertices = nodes[connectivity]
    edges = vertices[:, 1:] - vertices[:, :1]
    determinants = np.linalg.det(edges)
    valid = ~_degenerate(vertices, edges, determinants, resolution)
    # Rows of `edges` are edge vectors, so column k of the inverse is the gradient of barycentric coordinate k
    # + 1. The inverse carries the sign of the determinant: the gradients do not depend on the orientation.
    inverse = np.linalg.inv(np.where(valid[:, None, None], edges, np.eye(dimension)))
    opposite = np.swapaxes(inverse, 1, 2) * valid[:, None, None]
    gradients = np.concatenate([-opposite.sum(axis=1, keepdims=True), opposite], axis=1)
    measures = np.abs(determinants) * valid / factorial(dimension)
    return Simplices(nodes, connectivity, measures, gradients)


def _degenerate(
    vertices: Float[np.ndarray, "M V D"],
    edges: Float[np.ndarray, "M D D"],
    determinants: Float[np.ndarray, " M"],
    resolution: float,
) -> Bool[np.ndarray, " M"]:
    """Elements flatter than the bound, or than what rounding of their coordinates can produce."""
    dimension = edges.shape[1]
    longest = np.linalg.norm(edges, axis=2).max(axis=1)
    span = np.abs(edges).max(axis=1)
    magnitude = np.abs(vertices).max(axis=1)
    # First-order error of a determinant when each coordinate along axis a is rounded by resolution *
    # magnitude_a.
    rounding = np.zeros_like(determinants)
    for axis in range(dimension):
        rounding += magnitude[:, axis] * np.delete(span, axis, axis=1).prod(axis=1)
    bound = np.maximum(FLATNESS * longest**dimension, factorial(dimension) * resolution * rounding)
    return np.abs(determinants) <= bound


def _validated(
    points: MeshPoints, elements: MeshElements
) -> tuple[Float[np.ndarray, "N D"], Int[np.ndarray, "M V"], float]:
    """Float64 coordinates, integer connectivity and the relative resolution of the given coordinates."""
    raw = _concrete("points", points)
    resolution = float(np.finfo(raw.dtype if raw.dtype.kind == "f" else np.float64).eps)
    nodes = raw.astype(np.float64)
    nodes = nodes[:, None] if nodes.ndim == 1 else nodes
    connectivity = _concrete("elements", elements)
    if nodes.ndim != 2 or not 1 <= nodes.shape[1] <= 3:
        raise ValueError(f"points must have shape (N, D) with D = 1, 2 or 3 (or (N,) in 1-D); got {raw.shape}.")
    if connectivity.ndim != 2 or connectivity.shape[1] != nodes.shape[1] + 1:
        raise ValueError(
            f"elements of a {nodes.shape[1]}-D mesh must have shape (M, {nodes.shape[1] + 1}); "
            f"got {connectivity.shape} for points of shape {raw.shape}."
        )
    if connectivity.size and not 0 <= connectivity.min() <= connectivity.max() < len(nodes):
        raise ValueError(
            f"elements must hold node indices 0 … {len(nodes) - 1}; got {connectivity.min()} … {connectivity.max()} "
            f"for points of shape {raw.shape}."
        )
    if not np.isfinite(nodes).all():
        raise ValueError("points must be finite; got NaN or infinite coordinates.")
    return nodes, connectivity.astype(np.int64), resolution


def _concrete(name: str, values: Num[Array | np.ndarray, ...]) -> Num[np.ndarray, ...]:
    """The array on the host; the mesh decides the sparsity pattern, so it cannot be traced."""
    if isinstance(values, jax.core.Tracer):
        raise TypeError(
            f"{name} must be a concrete array, not a traced one: close over the mesh instead of passing it "
            "to the transformed function, or build a stencil first and pass that."
        )
    return np.asarray(checked_array(name, values))
