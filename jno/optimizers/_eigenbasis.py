"""Second moments of a gradient along its axes, their eigenbases, and rotations into them."""

from __future__ import annotations

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

Precision: TypeAlias = jax.lax.PrecisionLike

Leaf: TypeAlias = Float[Array, "..."]
Square: TypeAlias = Float[Array, "d d"]
Bases: TypeAlias = tuple[Float[Array, "_ _"] | None, ...]
"""One orthogonal matrix per axis of a leaf; ``None`` is the identity."""


def axes_to_rotate(shape: tuple[int, ...], max_dim: int, one_dimensional: bool) -> tuple[bool, ...]:
    """Which axes get a basis: none of length 1 or above ``max_dim``, that of a vector if ``one_dimensional``."""
    if len(shape) < 2 and not one_dimensional:
        return (False,) * len(shape)
    return tuple(1 < size <= max_dim for size in shape)


def second_moment(gradient: Leaf, axis: int, precision: Precision) -> Square:
    """``G Gᵀ`` with the rows of ``G`` along ``axis`` and all other axes in its columns."""
    rows = jnp.moveaxis(gradient, axis, 0).reshape(gradient.shape[axis], -1)
    return jnp.dot(rows, rows.T, precision=precision)


def rotate(values: Leaf, bases: Bases, precision: Precision, *, back: bool = False) -> Leaf:
    """Coordinates ``Qᵀ values`` along every axis with a basis ``Q``, or ``Q values`` of coordinates for ``back``."""
    for axis, basis in enumerate(bases):
        if basis is not None:
            contracted = jnp.tensordot(values, basis, axes=(axis, 1 if back else 0), precision=precision)
            values = jnp.moveaxis(contracted, -1, axis)
    return values


def first_basis(moment: Square, dtype: DTypeLike) -> Square:
    """Eigenvectors in the columns, largest eigenvalue first."""
    _, vectors = jnp.linalg.eigh(_normalized(moment, dtype))
    return vectors[:, ::-1].astype(moment.dtype)


def refreshed_basis(
    moment: Square, basis: Square, dtype: DTypeLike, precision: Precision
) -> tuple[Square, Int[Array, " d"]]:
    """One step of orthogonal iteration, ``QR(moment @ basis)`` with the columns sorted by eigenvalue first.

    Returns:
        the new basis and the permutation of the columns (the iteration itself keeps their order).
    """
    moment_, basis_ = _normalized(moment, dtype), basis.astype(dtype)
    image = jnp.dot(moment_, basis_, precision=precision)
    order = jnp.argsort(-jnp.sum(basis_ * image, axis=0))
    refreshed, _ = jnp.linalg.qr(image[:, order])
    return refreshed.astype(moment.dtype), order


def _normalized(moment: Square, dtype: DTypeLike) -> Square:
    """Entries of at most 1: squares of small gradients would vanish in a narrower type."""
    largest = jnp.max(jnp.abs(moment))
    return (moment / jnp.where(largest > 0, largest, 1.0)).astype(dtype)
