"""Orthogonal fine-tuning."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import LayerAdapter, clamped, matrix_of, with_matrix
from ._wrapper import Layer


class _OFT(LayerAdapter):
    skew: Float[Array, " parameters"]
    block: int = eqx.field(static=True)
    adapter_fields = ("skew",)

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """Rotations by zero."""
        if rank < 2:
            raise ValueError(f"{type(self).__name__}: rank is the size of a rotated block, at least 2, got {rank}")
        n = matrix.shape[1]
        self.block = clamped(rank, n)
        full_blocks, remainder = divmod(n, self.block)
        self.skew = jnp.zeros(full_blocks * _pairs(self.block) + _pairs(remainder), matrix.dtype)

    def merge(self) -> Layer:
        """The layer with the rotated kernel."""
        matrix = matrix_of(self.base)
        full_blocks, remainder = divmod(matrix.shape[1], self.block)
        count = full_blocks * _pairs(self.block)
        blocks = [rotated(matrix[:, : full_blocks * self.block], self.skew[:count], self.block)]
        if remainder:
            blocks.append(rotated(matrix[:, full_blocks * self.block :], self.skew[count:], remainder))
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

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.OFTLinear(eqx.nn.Linear(6, 4, key=key), rank=3, alpha=4, key=key)
        >>> layer.skew.shape  # two blocks of 3 columns, a rotation has 3 angles
        (6,)
    """

    kind = "linear"


class OFTConv(_OFT):
    """`OFTLinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.OFTConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=3, alpha=4, key=key)
        >>> layer.skew.shape  # five blocks of 3 columns
        (15,)
    """

    kind = "convolution"
