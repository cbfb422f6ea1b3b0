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

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoRALinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape, layer.scale
        ((2, 6), (4, 2), 2.0)
        >>> bool((layer.merge().weight == layer.base.weight).all())  # B is zero
        True
    """

    kind = "linear"


class LoRAConv(_LoRA):
    """`LoRALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.LoRAConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape  # 15 = 3 channels of 5
        ((2, 15), (4, 2))
        >>> layer(jax.numpy.ones((3, 8))).shape
        (4, 4)
    """

    kind = "convolution"
