"""Tensor-product B-splines on rectilinear grids, as functions of arrays of coordinates."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Inexact

DEGREES = {"linear": 1, "cubic": 3}


@dataclasses.dataclass(frozen=True, eq=False)
class Spline:
    """The interpolating spline of a table; outside the grid the coordinates are moved to its edge.

    Attributes:
        knots: for every axis its knots, ``degree + 1`` of them equal at both ends.
        shape: number of coefficients along every axis.
        degree: 1 or 3.
        coefficients: array ``(*shape)`` or, of vectors, ``(*shape, D)``; None: the last argument of a call is the
            table, which for degree 1 is the array of coefficients.
    """

    knots: tuple[np.ndarray, ...]
    shape: tuple[int, ...]
    degree: int
    coefficients: np.ndarray | None

    def __call__(self, *arguments: ArrayLike) -> Any:
        """Values at coordinates of one shape: that shape, or ``(N, D)`` of vectors at coordinates ``(N, 1)``."""
        *operands, table = (*arguments, self.coefficients) if self.coefficients is not None else arguments
        coordinates = jnp.broadcast_arrays(*operands)
        dtype = jnp.result_type(coordinates[0], float)
        flat = jnp.asarray(table, dtype if not jnp.iscomplexobj(table) else None)
        if flat.size % math.prod(self.shape):
            raise ValueError(
                f"interpolation: the grid has {self.shape} entries, and the values have the shape {flat.shape}"
            )
        flat = flat.reshape(math.prod(self.shape), -1)
        parts = [self._basis(x.astype(dtype), knots) for x, knots in zip(coordinates, self.knots, strict=True)]
        total: Any = 0
        for places in itertools.product(range(self.degree + 1), repeat=len(parts)):
            number, weight = _combined(parts, places, self.shape)
            total = total + weight[..., None] * flat[number]
        vectors = flat.shape[1] > 1
        return total[..., 0, :] if vectors else total[..., 0]

    def _basis(self, x: Inexact[Array, ...], knots: np.ndarray) -> tuple[Any, list[Any]]:
        """Number of the first coefficient that counts at ``x``, and the basis functions from it on.

        L. Piegl and W. Tiller, "The NURBS Book" (1997), algorithm A2.2.
        """
        p = self.degree
        t = jnp.asarray(knots, x.dtype)
        inner = t[p : len(knots) - p]
        x = jnp.where(x < inner[0], inner[0], jnp.where(x > inner[-1], inner[-1], x))
        interval = jnp.searchsorted(inner, jax.lax.stop_gradient(x), side="right") - 1
        i = jnp.clip(interval, 0, len(inner) - 2) + p
        values = [jnp.ones_like(x)]
        for j in range(1, p + 1):
            saved: Any = 0
            for r in range(j):
                left, right = t[i + 1 - j + r], t[i + r + 1]
                share = values[r] / (right - left)
                values[r] = saved + (right - x) * share
                saved = (x - left) * share
            values.append(saved)
        return i - p, values


def _combined(parts: Sequence[tuple[Any, list[Any]]], places: Sequence[int], shape: Sequence[int]) -> tuple[Any, Any]:
    """Flat number of one coefficient of the product, and its weight."""
    number, weight = 0, 1.0
    for (start, values), place, size in zip(parts, places, shape, strict=True):
        number = number * size + start + place
        weight = weight * values[place]
    return number, weight


def fitted(axes: Sequence[np.ndarray], values: np.ndarray | None, method: str) -> Spline:
    """The spline through a table on the grid of ``axes`` (increasing, at least two entries; four for ``"cubic"``)."""
    from scipy.interpolate import make_interp_spline

    degree = DEGREES[method]
    knots = []
    coefficients = values
    for number, axis in enumerate(axes):
        if coefficients is None:
            knots.append(np.asarray(make_interp_spline(axis, axis, k=degree).t))
            continue
        spline = make_interp_spline(axis, coefficients, k=degree, axis=number)
        knots.append(np.asarray(spline.t))
        coefficients = np.moveaxis(np.asarray(spline.c), 0, number)
    return Spline(tuple(knots), tuple(len(axis) for axis in axes), degree, coefficients)
