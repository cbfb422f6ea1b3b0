"""Singular value decomposition of kernels, and the update that begins with a part of it."""

from __future__ import annotations

import abc

import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import clamped, product, with_matrix
from ._low_rank import LowRankUpdate


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


class SingularUpdate(LowRankUpdate):
    """A low-rank update that begins with ``r`` singular components of the kernel; ``base`` has the others."""

    adapter_fields = ("A", "B")

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """Factors of some singular components; ``base`` keeps the others."""
        r = clamped(rank, *matrix.shape)
        part = self.part(r)
        left, values, right = singular(matrix)
        self.scale = alpha / r
        self.A, self.B = factors(left[:, part], values[part], right[part], self.scale)
        self.base = with_matrix(self.base, matrix - self.scale * product(self.B, self.A))

    @staticmethod
    @abc.abstractmethod
    def part(r: int) -> slice:
        """Which of the singular components, the largest first, are adapted at rank ``r``."""
