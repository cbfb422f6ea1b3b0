"""Low-rank adaptation with one factor frozen."""

from __future__ import annotations

from jno.utils import Key

from ._layers import clamped, random_factors
from ._low_rank import LowRankUpdate
from ._wrapper import Layer


class _LoRAFA(LowRankUpdate):
    adapter_fields = ("B",)

    def __init__(self, base: Layer, rank: int, alpha: float | int, *, key: Key) -> None:
        matrix = self.checked(base, rank, alpha)
        r = clamped(rank, *matrix.shape)
        self.base = base
        self.A, self.B = random_factors(matrix, r, key)
        self.scale = alpha / r


class LoRAFALinear(_LoRAFA):
    """LoRA-FA of a linear layer: ``(W + (alpha/r)·B A) x + bias`` with ``A`` frozen.

    ``A (r, n)`` is normal with variance ``1/n``, ``B (m, r)`` starts zero and is trained, ``r·m`` parameters.
    ``r`` is ``rank``, at most ``min(m, n)``.

    Zhang, Zhang, Shi, Chu, Li: LoRA-FA: Memory-efficient Low-rank Adaptation for Large Language Models Fine-tuning,
    2023.
    """

    kind = "linear"


class LoRAFAConv(_LoRAFA):
    """`LoRAFALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``."""

    kind = "convolution"
