"""Smooth functions of the position that vanish on facets only, and weights that are one on a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ._distance import squared_distances
from ._seen_angle import inverse_height_of_complement, inverse_height_of_facets

Fields: TypeAlias = Float[Array, "N F"]
# Points times facets that are computed at once.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class InverseDistances:
    r"""The mean of inverse distances to the parts of a boundary, and what is made of it.

    With the integrals :math:`W_k(x) = c_D\int_{\Gamma_k} |x-y|^{-D}\,dS(y)` over the parts :math:`\Gamma_k` the
    distance is :math:`1/\sum_k W_k` and the weight of a part :math:`W_k/\sum_l W_l`. The factor (1, 1/π, 1/2π) makes
    the distance to a line or plane exact, so that the slope on every facet is one. All are analytic away from the
    facets, whatever the shape of the body is, and do not depend on how finely its boundary is cut: this is the
    :math:`L_1` distance field of A. Belyaev, P.-A. Fayolle, A. Pasko, "Signed Lp-distance fields", Computer-Aided
    Design 45, 2013, with a kernel that is positive, so that parts need not be closed. The weights are those of
    transfinite interpolation by inverse distances (V. Rvachev, T. Sheiko, V. Shapiro, I. Tsukanov, Comput. Aided Geom.
    Design 18, 2001).

    Attributes:
        corners: of the facets (points, segments or triangles), which do not overlap.
        normals: outward unit normals.
        parts: the part that every facet belongs to, counted from zero.
        count: number of parts.
        tolerance: largest distance of a point that counts as one on a facet.
        meeting: largest number of facets that one point touches.
    """

    corners: Float[np.ndarray, "E V D"]
    normals: Float[np.ndarray, "E D"]
    parts: Int[np.ndarray, " E"]
    count: int
    tolerance: float
    meeting: int

    @classmethod
    def of(
        cls, corners: Float[np.ndarray, "E V D"], normals: Float[np.ndarray, "E D"], parts: Int[np.ndarray, " E"]
    ) -> InverseDistances:
        """The fields of these facets."""
        scale = float(np.linalg.norm(np.ptp(corners.reshape(-1, corners.shape[2]), axis=0))) or 1.0
        tolerance = 1e-6 * scale
        return cls(corners, normals, parts, int(parts.max()) + 1, tolerance, _meeting(corners, tolerance))

    def distance(self, *coordinates: Float[Array, "N 1"]) -> Float[Array, "N 1"]:
        """The smooth distance to all facets."""
        return self(*coordinates)[:, :1]

    def __call__(self, *coordinates: Float[Array, "N 1"]) -> Fields:
        """The distance in the first column, and the weight of every part in the next ones: `(N, 1 + parts)`."""
        points = jnp.concatenate(jnp.broadcast_arrays(*coordinates), axis=-1)
        size = max(1, _AT_ONCE // len(self.corners))
        if len(points) <= size:
            return self._at(points)
        return jax.lax.map(lambda point: self._at(point[None])[0], points, batch_size=size)

    def _at(self, points: Float[Array, "N D"]) -> Fields:
        corners, normals = jnp.asarray(self.corners, points.dtype), jnp.asarray(self.normals, points.dtype)
        squared = squared_distances(jax.lax.stop_gradient(points)[:, None], corners)
        touches = squared <= self.tolerance**2
        inverse = jnp.where(touches, 0.0, inverse_height_of_facets(_beside(points, corners, normals, touches), corners))
        of_part = self._summed(inverse, jnp.asarray(self.parts))
        # On a facet its own share is infinite. What is finite of it is minus that of the rest of its plane.
        nearest = jax.lax.top_k(-squared, self.meeting)[1]
        height = jnp.sum((corners[nearest[:, :1], 0] - points[:, None]) * normals[nearest[:, :1]], axis=-1)
        touching = jnp.take_along_axis(touches, nearest, axis=1)
        complement = inverse_height_of_complement(points, corners[nearest], normals[nearest], touching, self.tolerance)
        of_part = of_part - self._summed(complement, jnp.asarray(self.parts)[nearest])
        total = jnp.sum(of_part, axis=1, keepdims=True)
        on_facet = touching[:, :1]
        height = jnp.where(on_facet, height, 1.0)
        near = 1.0 / (1.0 + height * jnp.where(on_facet, total, 0.0))
        distance = jnp.where(on_facet, height * near, 1.0 / jnp.where(on_facet, 1.0, total))
        facet_part = jax.nn.one_hot(self.parts, self.count, dtype=points.dtype)[nearest[:, 0]]
        weights = of_part * distance + jnp.where(on_facet, near * facet_part, 0.0)
        return jnp.concatenate([distance, weights], axis=1)

    def _summed(self, inverse: Float[Array, "N K"], parts: Int[Array, "*#N K"]) -> Float[Array, "N P"]:
        """The sums over the facets of every part."""
        columns = [jnp.sum(jnp.where(parts == part, inverse, 0.0), axis=1) for part in range(self.count)]
        return jnp.stack(columns, axis=1)


def _beside(
    points: Float[Array, "N D"],
    corners: Float[Array, "E V D"],
    normals: Float[Array, "E D"],
    touches: Bool[Array, "N E"],
) -> Float[Array, "N E D"]:
    """The points for every facet; one off the facet where a point lies on it, for a value that is finite."""
    size = jnp.max(jnp.ptp(corners, axis=1), axis=-1, keepdims=True) + 1.0
    return jnp.where(touches[..., None], corners.mean(axis=1) + size * normals, points[:, None])


def _meeting(corners: Float[np.ndarray, "E V D"], tolerance: float) -> int:
    """The largest number of facets that touch one point; at most a few too many, those whose boxes hold a corner."""
    low, high = corners.min(axis=1) - 2.0 * tolerance, corners.max(axis=1) + 2.0 * tolerance
    vertices = np.unique(corners.reshape(-1, corners.shape[2]), axis=0)
    size = max(1, _AT_ONCE // corners[:, 0].size)
    most = 1
    for start in range(0, len(vertices), size):
        block = vertices[start : start + size, None]
        most = max(most, int(np.sum(np.all((block >= low) & (block <= high), axis=2), axis=1).max()))
    return most
