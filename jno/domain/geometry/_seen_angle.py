"""Angles under which facets are seen, over the height above them: integrals of inverse powers of the distance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ._distance import squared_distances

# arctan(z) / z as a series in z² up to this z², where it has the precision of float64
_SMALL = 0.02
_SERIES = np.array([(-1.0) ** power / (2 * power + 1) for power in range(10)])

_EDGES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
"""Of a triangle: the ends of each edge, and the corner opposite to it."""


def inverse_height_of_facets(points: Float[Array, "N E D"], corners: Float[Array, "E V D"]) -> Float[Array, "N E"]:
    r"""Inverse distances :math:`c_D\int |x-y|^{-D}\,dS(y)` to every facet, off it: angle over height.

    A segment is seen under the angle :math:`\theta` from the height :math:`h` above its line, and the integral is
    :math:`\theta/h`; a triangle under the solid angle :math:`\Omega`, and it is :math:`\Omega/h` (A. van Oosterom, J.
    Strackee, IEEE Trans. Biomed. Eng. 30, 1983).
    """
    sides = [corners[:, number] - points for number in range(corners.shape[1])]
    if len(sides) == 1:
        return 1.0 / jnp.linalg.norm(sides[0], axis=-1)
    if len(sides) == 2:
        a, b = sides
        across = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
        length = jnp.linalg.norm(corners[:, 1] - corners[:, 0], axis=-1)
        return _angle_over_height(across / length, length, jnp.sum(a * b, axis=-1)) / jnp.pi
    a, b, c = sides
    area = jnp.linalg.norm(jnp.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1)
    lengths = [jnp.linalg.norm(side, axis=-1) for side in sides]
    opposite = lengths[0] * lengths[1] * lengths[2]
    for tail, head, apex in _EDGES:
        opposite += jnp.sum(sides[tail] * sides[head], axis=-1) * lengths[apex]
    # half the solid angle, over 2π
    return _angle_over_height(jnp.sum(a * jnp.cross(b, c), axis=-1) / area, area, opposite) / jnp.pi


def inverse_height_of_complement(
    points: Float[Array, "N D"],
    corners: Float[Array, "N K V D"],
    normals: Float[Array, "N K D"],
    touching: Bool[Array, "N K"],
    tolerance: float,
) -> Float[Array, "N K"]:
    """The same for the rest of the line (plane) of facets on which a point lies; zero for others.

    The rest begins at the ends (edges) of a facet. Those that the point touches too are left out: they are where facets
    meet, and those of one line (plane) have no share.
    """
    if corners.shape[2] == 1:
        return jnp.zeros(touching.shape, points.dtype)
    height = jnp.sum((corners[:, :, 0] - points[:, None]) * normals, axis=-1)
    inverse = _beyond_ends if corners.shape[2] == 2 else _beyond_edges
    return inverse(points[:, None], corners, jnp.where(touching, height, 0.0), touching, normals, tolerance)


def _beyond_ends(
    points: Float[Array, "N 1 D"],
    corners: Float[Array, "N K 2 D"],
    height: Float[Array, "N K"],
    touching: Bool[Array, "N K"],
    normals: Float[Array, "N K D"],
    tolerance: float,
) -> Float[Array, "N K"]:
    along = corners[:, :, 1] - corners[:, :, 0]
    unit = along / jnp.linalg.norm(along, axis=-1, keepdims=True)
    total = jnp.zeros_like(height)
    for end in range(2):
        distance = jnp.abs(jnp.sum((corners[:, :, end] - points) * unit, axis=-1))
        counts = touching & (distance > 2.0 * tolerance)
        distance = jnp.where(counts, distance, 1.0)
        total += jnp.where(counts, _angle_over_height(height, jnp.ones_like(distance), distance), 0.0)
    return total / jnp.pi


def _beyond_edges(
    points: Float[Array, "N 1 D"],
    corners: Float[Array, "N K 3 D"],
    height: Float[Array, "N K"],
    touching: Bool[Array, "N K"],
    normals: Float[Array, "N K D"],
    tolerance: float,
) -> Float[Array, "N K"]:
    total = jnp.zeros_like(height)
    for tail, head, apex in _EDGES:
        edge = corners[:, :, np.array([tail, head])]
        off_edge = squared_distances(jax.lax.stop_gradient(points), edge) > (2.0 * tolerance) ** 2
        counts = touching & off_edge
        length = jnp.linalg.norm(edge[:, :, 1] - edge[:, :, 0], axis=-1, keepdims=True)
        unit = (edge[:, :, 1] - edge[:, :, 0]) / length
        outward = jnp.cross(unit, normals)
        outward *= -jnp.sign(jnp.sum((corners[:, :, apex] - edge[:, :, 0]) * outward, axis=-1, keepdims=True))
        place = jnp.where(counts[..., None], points, corners.mean(axis=2))
        start = jnp.sum((edge[:, :, 0] - place) * unit, axis=-1)
        stop = start + length[..., 0]
        beside = jnp.sum((edge[:, :, 0] - place) * outward, axis=-1)
        near, far = (jnp.sqrt(height**2 + beside**2 + reach**2) for reach in (start, stop))
        slope = beside * (stop * near - start * far)
        total += jnp.where(
            counts, _angle_over_height(height, slope, beside**2 * near * far + height**2 * start * stop), 0.0
        )
    return total / (2.0 * jnp.pi)


def _angle_over_height(
    height: Float[Array, "*N"], slope: Float[Array, "*#N"], level: Float[Array, "*N"]
) -> Float[Array, "*N"]:
    """The angle between 0 and π with the tangent `height * slope / level`, over the height: even and smooth in it."""
    rise = height * slope
    flat = (level > 0.0) & (rise**2 < _SMALL * level**2)
    below = jnp.where(flat, level, 1.0)
    square = (jnp.where(flat, rise, 0.0) / below) ** 2
    series = jnp.full_like(square, _SERIES[-1])
    for coefficient in _SERIES[-2::-1]:
        series = series * square + float(coefficient)
    steep = jnp.abs(jnp.where(flat, 1.0, height))
    angle = jnp.pi / 2.0 - jnp.arctan(jnp.where(flat, 0.0, level) / (steep * slope))
    return jnp.where(flat, series * slope / below, angle / steep)
