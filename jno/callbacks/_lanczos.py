"""Extreme eigenvalues of a symmetric operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Vector: TypeAlias = Float[Array, " P"]

LanczosState: TypeAlias = tuple[Float[Array, "m P"], Float[Array, " m"], Float[Array, " m"], Vector]
"""The orthonormal basis, diagonal and sub-diagonal of the matrix, and the vector that comes next."""

# SciPy's eigsh needs the products on the host, one by one, fewer eigenvalues than rows, and as many products as
# convergence takes; here their number is the user's choice and all of them run in one device call.


def tridiagonal(
    product: Callable[[Vector], Vector], start: Vector, steps: int, key: Array
) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    """Diagonal and sub-diagonal (without its last entry) of the Lanczos matrix after ``steps <= P`` steps.

    Every new vector is orthogonalised against all earlier ones. Where the Krylov space is exhausted, a random vector
    goes on, so that after ``P`` steps all eigenvalues are there with their multiplicities.
    """
    tiny = jnp.finfo(start.dtype).tiny

    def orthogonal(vector: Vector, basis: Float[Array, "m P"]) -> Vector:
        for _ in range(2):  # once is not enough in floating point
            vector = vector - basis.T @ (basis @ vector)
        return vector

    def unit(vector: Vector) -> Vector:
        return vector / jnp.maximum(jnp.linalg.norm(vector), tiny)

    def step(number: Int[Array, ""], state: LanczosState) -> LanczosState:
        basis, diagonal, below, vector = state
        basis = basis.at[number].set(vector)
        image = product(vector)
        remainder = orthogonal(image, basis)
        size = jnp.linalg.norm(remainder)
        exhausted = size <= 10.0 * jnp.finfo(start.dtype).eps * jnp.linalg.norm(image)
        fresh = jax.random.normal(jax.random.fold_in(key, number), start.shape, start.dtype)
        following = unit(orthogonal(unit(jnp.where(exhausted, orthogonal(fresh, basis), remainder)), basis))
        diagonal = diagonal.at[number].set(vector @ image)
        return basis, diagonal, below.at[number].set(jnp.where(exhausted, 0.0, size)), following

    zeros = jnp.zeros(steps, start.dtype)
    state = (jnp.zeros((steps, start.size), start.dtype), zeros, zeros, unit(start))
    _, diagonal, below, _ = jax.lax.fori_loop(0, steps, step, state)
    return diagonal, below


def ritz_values(diagonal: Float[np.ndarray, " m"], below: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Eigenvalues of the Lanczos matrix, ascending."""
    from scipy.linalg import eigvalsh_tridiagonal

    return eigvalsh_tridiagonal(diagonal.astype(np.float64), below[:-1].astype(np.float64))
