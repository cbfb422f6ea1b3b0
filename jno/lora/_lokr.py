"""Kronecker-product adaptation."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import LayerAdapter, clamped, gaussian, matrix_of, product, with_matrix
from ._wrapper import Layer


class _LoKr(LayerAdapter):
    C: Float[Array, "p q"]
    A: Float[Array, "r k"]
    B: Float[Array, "j r"]
    scale: float = eqx.field(static=True)
    adapter_fields = ("C", "A", "B")

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """``C`` and ``A`` random, ``B`` zero."""
        m, n = matrix.shape
        p, q = balanced_divisor(m), balanced_divisor(n)
        r = clamped(rank, m // p, n // q)
        key_c, key_a = jax.random.split(key)
        self.C = gaussian(key_c, p, q, matrix.dtype)
        self.A = gaussian(key_a, r, n // q, matrix.dtype)
        self.B = jnp.zeros((m // p, r), matrix.dtype)
        self.scale = alpha / r

    def merge(self) -> Layer:
        """The layer with the updated kernel."""
        update = jnp.kron(self.C, product(self.B, self.A))
        return with_matrix(self.base, matrix_of(self.base) + self.scale * update)


def balanced_divisor(number: int) -> int:
    """The largest divisor that is at most the square root."""
    return next(d for d in range(math.isqrt(number), 0, -1) if number % d == 0)


class LoKrLinear(_LoKr):
    """LoKr of a linear layer: ``(W + (alpha/r)·C ⊗ (B A)) x + bias``.

    ``C (p, q)``, with ``p ≤ √m`` and ``q ≤ √n`` the largest divisors of ``m`` and ``n``, starts normal with variance
    ``1/q``; the second factor has the shape ``(m/p, n/q)`` and rank ``r``: ``A (r, n/q)`` starts normal with variance
    ``q/n``, ``B (m/p, r)`` zero.  All three are trained, ``p·q + r·(m/p + n/q)`` parameters.  ``r`` is ``rank``, at
    most ``min(m/p, n/q)``.

    Yeh, Hsieh, Gao, Yang, Oh, Gong: Navigating Text-To-Image Customization: From LyCORIS Fine-Tuning to Model
    Evaluation, 2023.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoKrLinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.C.shape, layer.A.shape, layer.B.shape
        ((2, 2), (2, 3), (2, 2))
    """

    kind = "linear"


class LoKrConv(_LoKr):
    """`LoKrLinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoKrConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.C.shape, layer.A.shape, layer.B.shape
        ((2, 3), (2, 5), (2, 2))
    """

    kind = "convolution"
