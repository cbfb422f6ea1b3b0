"""Low-rank adaptation with an extremely small matrix."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import LayerAdapter, clamped, matrix_of, product, with_matrix
from ._singular import singular
from ._wrapper import Layer


class _LoRAXS(LayerAdapter):
    left: Float[Array, "m r"]
    R: Float[Array, "r r"]
    right: Float[Array, "r n"]
    scale: float = eqx.field(static=True)
    adapter_fields = ("R",)

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """The largest singular components, and a zero matrix between them."""
        r = clamped(rank, *matrix.shape)
        left, values, right = singular(matrix)
        self.left, self.right = left[:, :r] * values[:r], right[:r]
        self.R = jnp.zeros((r, r), matrix.dtype)
        self.scale = alpha / r

    def merge(self) -> Layer:
        """The layer with the updated kernel."""
        update = product(product(self.left, self.R), self.right)
        return with_matrix(self.base, matrix_of(self.base) + self.scale * update)


class LoRAXSLinear(_LoRAXS):
    """LoRA-XS of a linear layer: ``(W + (alpha/r)·U_r S_r R V_rᵀ) x + bias``, with ``W = U S Vᵀ``.

    ``left = U_r S_r (m, r)`` and ``right = V_rᵀ (r, n)`` belong to the ``r`` largest singular values and are frozen;
    ``R (r, r)`` is trained, ``r²`` parameters.  It starts at zero (the paper: normal of deviation 1e-5), so that
    nothing changes at the start.  ``r`` is ``rank``, at most ``min(m, n)``.

    Bałazy, Banaei, Aberer, Tabor: LoRA-XS: Low-Rank Adaptation with Extremely Small Number of Parameters, 2024.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoRAXSLinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.left.shape, layer.R.shape, layer.right.shape
        ((4, 2), (2, 2), (2, 6))
        >>> layer.adapter_fields
        ('R',)
    """

    kind = "linear"


class LoRAXSConv(_LoRAXS):
    """`LoRAXSLinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoRAXSConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.left.shape, layer.R.shape, layer.right.shape
        ((4, 2), (2, 2), (2, 15))
    """

    kind = "convolution"
