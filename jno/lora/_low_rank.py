"""The update that LoRA and its closest relatives share."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from ._layers import LayerAdapter, matrix_of, product, with_matrix
from ._wrapper import Layer


class LowRankUpdate(LayerAdapter):
    """``W + scale·B A``."""

    A: Float[Array, "r n"]
    B: Float[Array, "m r"]
    scale: float = eqx.field(static=True)

    def merge(self) -> Layer:
        """The layer with the updated kernel."""
        return with_matrix(self.base, matrix_of(self.base) + self.scale * product(self.B, self.A))
