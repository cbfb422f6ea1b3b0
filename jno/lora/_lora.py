"""Low-rank adaptation."""

from __future__ import annotations

from jno.utils import Key

from ._layers import clamped, random_factors
from ._low_rank import LowRankUpdate
from ._wrapper import Layer


class _LoRA(LowRankUpdate):
    adapter_fields = ("A", "B")

    def __init__(self, base: Layer, rank: int, alpha: float | int, *, key: Key) -> None:
        matrix = self.checked(base, rank, alpha)
        r = clamped(rank, *matrix.shape)
        self.base = base
        self.A, self.B = random_factors(matrix, r, key)
        self.scale = alpha / r


class LoRALinear(_LoRA):
    """LoRA of a linear layer: ``(W + (alpha/r)·B A) x + bias``.

    ``A (r, n)`` starts normal with variance ``1/n``, ``B (m, r)`` zero; both are trained, ``r·(m + n)`` parameters.
    ``r`` is ``rank``, at most ``min(m, n)``.

    Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang, Chen: LoRA: Low-Rank Adaptation of Large Language Models, 2021.
    """

    kind = "linear"


class LoRAConv(_LoRA):
    """`LoRALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``."""

    kind = "convolution"
