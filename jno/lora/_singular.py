"""Singular value decomposition of kernels."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def singular(matrix: Float[Array, "m n"]) -> tuple[Float[Array, "m s"], Float[Array, " s"], Float[Array, "s n"]]:
    """``U, S, Vᵀ`` with falling singular values, in the dtype of the matrix; half precision is decomposed in single."""
    working = matrix.astype(jnp.promote_types(matrix.dtype, jnp.float32))
    left, values, right = jnp.linalg.svd(working, full_matrices=False)
    return left.astype(matrix.dtype), values.astype(matrix.dtype), right.astype(matrix.dtype)


def factors(
    left: Float[Array, "m r"], values: Float[Array, " r"], right: Float[Array, "r n"], scale: float
) -> tuple[Float[Array, "r n"], Float[Array, "m r"]]:
    """``A, B`` with ``scale·B A = U S Vᵀ`` and the singular values shared evenly."""
    root = jnp.sqrt(values / scale)
    return root[:, None] * right, left * root
