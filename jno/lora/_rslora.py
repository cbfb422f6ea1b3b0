"""Rank-stabilised low-rank adaptation."""

from __future__ import annotations

import math

from ._low_rank import RandomUpdate


class _rsLoRA(RandomUpdate):
    adapter_fields = ("A", "B")

    @staticmethod
    def scaling(alpha: float | int, r: int) -> float:
        """``alpha / √r``."""
        return alpha / math.sqrt(r)


class rsLoRALinear(_rsLoRA):
    """rsLoRA of a linear layer: ``(W + (alpha/√r)·B A) x + bias``; the size of the update does not fall with ``r``.

    ``A (r, n)`` starts normal with variance ``1/n``, ``B (m, r)`` zero; both are trained, ``r·(m + n)`` parameters.
    ``r`` is ``rank``, at most ``min(m, n)``.

    Kalajdzievski: A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA, 2023.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.rsLoRALinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> round(layer.scale, 3)  # 4 / √2
        2.828
    """

    kind = "linear"


class rsLoRAConv(_rsLoRA):
    """`rsLoRALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.rsLoRAConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, round(layer.scale, 3)
        ((2, 15), 2.828)
    """

    kind = "convolution"
