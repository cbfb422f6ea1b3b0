"""Rank-stabilised low-rank adaptation."""

from __future__ import annotations

import math

from jno.utils import Key

from ._layers import clamped, random_factors
from ._low_rank import LowRankUpdate
from ._wrapper import Layer


class _rsLoRA(LowRankUpdate):
    adapter_fields = ("A", "B")

    def __init__(self, base: Layer, rank: int, alpha: float | int, *, key: Key) -> None:
        matrix = self.checked(base, rank, alpha)
        r = clamped(rank, *matrix.shape)
        self.base = base
        self.A, self.B = random_factors(matrix, r, key)
        self.scale = alpha / math.sqrt(r)


class rsLoRALinear(_rsLoRA):
    """rsLoRA of a linear layer: ``(W + (alpha/√r)·B A) x + bias``; the size of the update does not fall with ``r``.

    ``A (r, n)`` starts normal with variance ``1/n``, ``B (m, r)`` zero; both are trained, ``r·(m + n)`` parameters.
    ``r`` is ``rank``, at most ``min(m, n)``.

    Kalajdzievski: A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA, 2023.
    """

    kind = "linear"


class rsLoRAConv(_rsLoRA):
    """`rsLoRALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``."""

    kind = "convolution"
