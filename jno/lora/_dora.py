"""Weight-decomposed low-rank adaptation."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import LayerAdapter, clamped, matrix_of, product, random_factors, with_matrix
from ._wrapper import Layer


class _DoRA(LayerAdapter):
    A: Float[Array, "r n"]
    B: Float[Array, "m r"]
    magnitude: Float[Array, " m"]
    scale: float = eqx.field(static=True)
    adapter_fields = ("A", "B", "magnitude")

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """``A`` random, ``B`` zero, the magnitudes those of the kernel."""
        r = clamped(rank, *matrix.shape)
        self.A, self.B = random_factors(matrix, r, key)
        self.magnitude = jnp.linalg.norm(matrix, axis=1)
        self.scale = alpha / r

    def merge(self) -> Layer:
        """The layer with the updated kernel."""
        direction = matrix_of(self.base) + self.scale * product(self.B, self.A)
        square = jnp.sum(direction**2, axis=1)
        # a row of zeros has magnitude 0 and no direction; it must not turn gradients into NaN
        length = jnp.sqrt(jnp.where(square > 0, square, 1))
        return with_matrix(self.base, (self.magnitude / length)[:, None] * direction)


class DoRALinear(_DoRA):
    """DoRA of a linear layer: ``diag(magnitude) V x + bias``, ``V`` the rows of ``W + (alpha/r)·B A`` at length 1.

    ``A (r, n)`` starts normal with variance ``1/n``, ``B (m, r)`` zero, ``magnitude (m,)`` at the lengths of the rows
    of ``W``; all are trained, ``r·(m + n) + m`` parameters.  ``r`` is ``rank``, at most ``min(m, n)``.

    Gradients are exact; section 4.3 of the paper proposes to treat the row lengths as constants to save memory.

    Liu, Wang, Yin, Molchanov, Wang, Cheng, Chen: DoRA: Weight-Decomposed Low-Rank Adaptation, 2024.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.DoRALinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape, layer.magnitude.shape
        ((2, 6), (4, 2), (4,))
    """

    kind = "linear"


class DoRAConv(_DoRA):
    """`DoRALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.DoRAConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape  # 15 = 3 channels of 5
        ((2, 15), (4, 2))
    """

    kind = "convolution"
