"""Vector-based random matrix adaptation."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import LayerAdapter, matrix_of, product, with_matrix
from ._wrapper import Layer


class _VeRA(LayerAdapter):
    A: Float[Array, "r n"]
    B: Float[Array, "m r"]
    b: Float[Array, " m"]
    d: Float[Array, " r"]
    adapter_fields = ("b", "d")
    shares_key = True

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """Random matrices that stay, and vectors that change nothing yet."""
        m, n = matrix.shape
        for_inputs, for_outputs = jax.random.split(key)
        self.A = _draws(for_inputs, n, rank, matrix.dtype).T / math.sqrt(n)
        self.B = _draws(for_outputs, m, rank, matrix.dtype) / math.sqrt(rank)
        self.b = jnp.zeros(m, matrix.dtype)
        self.d = jnp.ones(rank, matrix.dtype)

    def merge(self) -> Layer:
        """The layer with the updated kernel."""
        update = self.b[:, None] * product(self.B, self.d[:, None] * self.A)
        return with_matrix(self.base, matrix_of(self.base) + update)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _draws(key: Key, count: int, rank: int, dtype: DTypeLike) -> Float[Array, "count rank"]:
    """Normal rows; a longer list starts with the rows of a shorter one."""
    return jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i), (rank,), dtype))(jnp.arange(count))


class VeRALinear(_VeRA):
    """VeRA of a linear layer: ``(W + diag(b) B diag(d) A) x + bias``.

    ``A (r, n)`` and ``B (m, r)`` are frozen, normal with variance ``1/n`` and ``1/r``.  They are drawn from ``key``
    alone, which `apply_lora` gives unchanged to all layers: layers share them, a smaller layer the leading part.
    ``b (m,)`` starts zero, ``d (r,)`` one (the paper tunes this constant); both are trained, ``m + r`` parameters.
    ``r`` is ``rank`` and may exceed ``min(m, n)``; ``alpha`` is not used.

    Kopiczko, Blankevoort, Asano: VeRA: Vector-based Random Matrix Adaptation, 2023.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.VeRALinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.b.shape, layer.d.shape
        ((4,), (2,))
        >>> layer.adapter_fields
        ('b', 'd')
    """

    kind = "linear"


class VeRAConv(_VeRA):
    """`VeRALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.VeRAConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.b.shape, layer.d.shape
        ((2, 15), (4,), (2,))
    """

    kind = "convolution"
