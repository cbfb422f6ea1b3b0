"""The update that LoRA and its closest relatives share."""

from __future__ import annotations

import abc

import equinox as eqx
from jaxtyping import Array, Float

from jno.utils import Key

from ._layers import LayerAdapter, clamped, matrix_of, product, random_factors, with_matrix
from ._wrapper import Layer


class LowRankUpdate(LayerAdapter):
    """``W + scale·B A``."""

    A: Float[Array, "r n"]
    B: Float[Array, "m r"]
    scale: float = eqx.field(static=True)

    def merge(self) -> Layer:
        """The layer with the updated kernel."""
        return with_matrix(self.base, matrix_of(self.base) + self.scale * product(self.B, self.A))


class RandomUpdate(LowRankUpdate):
    """A low-rank update that starts with ``A`` random and ``B`` zero."""

    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """``A`` random, ``B`` zero."""
        r = clamped(rank, *matrix.shape)
        self.A, self.B = random_factors(matrix, r, key)
        self.scale = self.scaling(alpha, r)

    @staticmethod
    @abc.abstractmethod
    def scaling(alpha: float | int, r: int) -> float:
        """The scale of the update at rank ``r``."""
