"""Low-rank adaptation."""

from __future__ import annotations

from ._low_rank import RandomUpdate


class _LoRA(RandomUpdate):
    adapter_fields = ("A", "B")

    @staticmethod
    def scaling(alpha: float | int, r: int) -> float:
        """``alpha / r``."""
        return alpha / r


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
