"""Low-rank adaptation with one factor frozen."""

from __future__ import annotations

from ._low_rank import RandomUpdate


class _LoRAFA(RandomUpdate):
    adapter_fields = ("B",)

    @staticmethod
    def scaling(alpha: float | int, r: int) -> float:
        """``alpha / r``."""
        return alpha / r


class LoRAFALinear(_LoRAFA):
    """LoRA-FA of a linear layer: ``(W + (alpha/r)·B A) x + bias`` with ``A`` frozen.

    ``A (r, n)`` is normal with variance ``1/n``, ``B (m, r)`` starts zero and is trained, ``r·m`` parameters.
    ``r`` is ``rank``, at most ``min(m, n)``.

    Zhang, Zhang, Shi, Chu, Li: LoRA-FA: Memory-efficient Low-rank Adaptation for Large Language Models Fine-tuning,
    2023.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoRAFALinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.adapter_fields, layer.B.shape
        (('B',), (4, 2))
    """

    kind = "linear"


class LoRAFAConv(_LoRAFA):
    """`LoRAFALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoRAFAConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape, layer.adapter_fields
        ((2, 15), (4, 2), ('B',))
    """

    kind = "convolution"
