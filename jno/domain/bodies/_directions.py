"""Directions that are uniform on the sphere, as images of the unit cube; on the host and in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

DIRECTIONS = {2: 1, 3: 2}
"""Dimension -> uniform numbers that make a direction; as many as dimensions in all others."""


@dataclass(frozen=True)
class Arithmetic:
    """Where directions are computed.

    Attributes:
        np: `numpy` or `jax.numpy`.
        normal_quantile: inverse of the distribution function of the normal distribution.
    """

    np: Any
    normal_quantile: Callable[[Any], Any]


def _host_quantile(share: Float[np.ndarray, "n K"]) -> Float[np.ndarray, "n K"]:
    from scipy.special import ndtri

    quantile: np.ndarray = ndtri(np.clip(share, 2.0**-53, 1.0 - 2.0**-53))
    return quantile


HOST = Arithmetic(np, _host_quantile)
DEVICE = Arithmetic(jnp, jax.scipy.special.ndtri)


def directions(
    unit: Float[np.ndarray | Array, "n K"], dimension: int, arithmetic: Arithmetic
) -> Float[np.ndarray | Array, "n D"]:
    """Unit vectors that belong to points of the unit cube; the map preserves measure.

    By the angle in the plane, by height and angle in space (Archimedes), and by the direction of a normal vector in
    more dimensions (Muller 1959).
    """
    xp = arithmetic.np
    if dimension == 2:
        return xp.stack([xp.cos(2.0 * xp.pi * unit[:, 0]), xp.sin(2.0 * xp.pi * unit[:, 0])], axis=1)
    if dimension == 3:
        height, angle = 2.0 * unit[:, 0] - 1.0, 2.0 * xp.pi * unit[:, 1]
        across = xp.sqrt(xp.maximum(1.0 - height**2, 0.0))
        return xp.stack([across * xp.cos(angle), across * xp.sin(angle), height], axis=1)
    vectors = arithmetic.normal_quantile(unit)
    return vectors / xp.sqrt(xp.sum(vectors**2, axis=1, keepdims=True))
