"""Quadrature on the reference simplex and on its facets."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ._lagrange import _cell


@dataclass(frozen=True, eq=False)
class ReferenceRule:
    """Points in a reference simplex and weights whose sum is one: a rule for averages over simplices."""

    points: Float[np.ndarray, "Q D"]
    weights: Float[np.ndarray, " Q"]


@functools.cache
def reference_rule(dimension: int, degree: int) -> ReferenceRule:
    """A rule that is exact for polynomials up to ``degree``; on a point it is that point."""
    if dimension == 0:
        return ReferenceRule(np.zeros((1, 0)), np.ones(1))
    import basix

    points, weights = basix.make_quadrature(_cell(dimension), degree)
    return ReferenceRule(np.asarray(points), np.asarray(weights) / np.sum(weights))


def facet_points(points: Float[np.ndarray, "Q F"], opposite: int) -> Float[np.ndarray, "Q D"]:
    """Points of a reference facet, on the facet of the reference simplex that is opposite to a vertex.

    The vertices of the facet are those of the simplex in ascending order.
    """
    dimension = points.shape[1] + 1
    vertices = np.concatenate([np.zeros((1, dimension)), np.eye(dimension)])
    corners = np.delete(vertices, opposite, axis=0)
    return np.asarray(corners[0] + points @ (corners[1:] - corners[0]))
