"""Orthogonal fine-tuning."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._layers import LayerAdapter, clamped, matrix_of, with_matrix


class _OFT(LayerAdapter):
    skew: Float[Array, " parameters"]
    block: int = eqx.field(static=True)
    adapter_fields = ("skew",)

    def __init__(self, base: Any, rank: int, alpha: float | int, *, key: Any) -> None:
        matrix = self.checked(base, rank, alpha)
        if rank < 2:
            raise ValueError(f"{type(self).__name__}: rank is the size of a rotated block, at least 2, got {rank}")
        n = matrix.shape[1]
        self.base = base
        self.block = clamped(rank, n)
        whole, rest = divmod(n, self.block)
        self.skew = jnp.zeros(whole * _pairs(self.block) + _pairs(rest), matrix.dtype)

    def merge(self) -> Any:
        """The layer with the rotated kernel."""
        matrix = matrix_of(self.base)
        whole, rest = divmod(matrix.shape[1], self.block)
        count = whole * _pairs(self.block)
        blocks = [rotated(matrix[:, : whole * self.block], self.skew[:count], self.block)]
        if rest:
            blocks.append(rotated(matrix[:, whole * self.block :], self.skew[count:], rest))
        return with_matrix(self.base, jnp.concatenate(blocks, axis=1))


def _pairs(size: int) -> int:
    return size * (size - 1) // 2


def rotated(matrix: Float[Array, "m n"], skew: Float[Array, " parameters"], size: int) -> Float[Array, "m n"]:
    """``W Rᵀ``, ``R`` block diagonal with one rotation per ``size`` columns."""
    rotation = rotations(skew.reshape(-1, _pairs(size)) if size > 1 else skew.reshape(matrix.shape[1], 0), size)
    columns = matrix.reshape(matrix.shape[0], -1, size)
    return jnp.einsum("mbj,bij->mbi", columns, rotation, precision="highest").reshape(matrix.shape)


def rotations(skew: Float[Array, "blocks pairs"], size: int) -> Float[Array, "blocks size size"]:
    """Cayley transforms ``(I + Q)(I − Q)⁻¹``, ``Q`` skew-symmetric with these entries below the diagonal."""
    # triangular factorisations know no half precision
    entries = skew.astype(jnp.promote_types(skew.dtype, jnp.float32))
    rows, columns = np.tril_indices(size, -1)
    lower = jnp.zeros((len(entries), size, size), entries.dtype).at[:, rows, columns].set(entries)
    q = lower - lower.swapaxes(1, 2)
    one = jnp.eye(size, dtype=q.dtype)
    # both factors commute
    return jnp.linalg.solve(one - q, one + q).astype(skew.dtype)


class OFTLinear(_OFT):
    """OFT of a linear layer: ``W Rᵀ x + bias``, ``R`` orthogonal and block diagonal: angles between neurons are kept.

    Each block is the Cayley transform ``(I + Q)(I − Q)⁻¹`` of a skew-symmetric ``Q``; the entries of all ``Q`` below
    the diagonal, ``skew``, start at zero and are trained.  ``rank`` is the block size ``r``, at least 2 and at most
    ``n`` (not ``min(m, n)``: a layer with one output can still be rotated); the last block is smaller where ``r`` does
    not divide ``n``.  With ``n = c·r + s`` these are ``c·r(r−1)/2 + s(s−1)/2`` parameters, none for ``n = 1``.
    ``alpha`` is not used.

    Qiu, Liu, Feng, Xue, Feng, Liu, Zhang, Weller, Schölkopf: Controlling Text-to-Image Diffusion by Orthogonal
    Finetuning, 2023.
    """

    kind = "linear"


class OFTConv(_OFT):
    """`OFTLinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``."""

    kind = "convolution"
