"""Rescaled activations."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import LayerAdapter, matrix_of, with_matrix
from ._wrapper import Layer


class _IA3(LayerAdapter):
    l: Float[Array, " m"]
    adapter_fields = ("l",)

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """Ones."""
        self.l = jnp.ones(matrix.shape[0], matrix.dtype)

    def merge(self) -> Layer:
        """The layer with rescaled outputs."""
        layer = with_matrix(self.base, self.l[:, None] * matrix_of(self.base))
        if layer.bias is None:
            return layer
        return eqx.tree_at(lambda layer: layer.bias, layer, self.l.reshape(layer.bias.shape) * layer.bias)


class IA3Linear(_IA3):
    """(IA)³ of a linear layer: ``l ⊙ (W x + bias)``.

    ``l (m,)`` starts at one and is trained, ``m`` parameters.  ``rank`` and ``alpha`` are not used.

    Liu, Tam, Muqeeth, Mohta, Huang, Bansal, Raffel: Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than
    In-Context Learning, 2022.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.IA3Linear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.l.tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    kind = "linear"


class IA3Conv(_IA3):
    """`IA3Linear` of a convolution: one factor per output channel.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.IA3Conv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.l.shape
        (4,)
        >>> layer(jax.numpy.ones((3, 8))).shape
        (4, 4)
    """

    kind = "convolution"
