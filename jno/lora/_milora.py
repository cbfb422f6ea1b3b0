"""Adaptation of the minor singular components."""

from __future__ import annotations

from ._singular import SingularUpdate


class _MiLoRA(SingularUpdate):
    @staticmethod
    def part(r: int) -> slice:
        """The smallest ``r``."""
        return slice(-r, None)


class MiLoRALinear(_MiLoRA):
    """MiLoRA of a linear layer: ``(W_p + (alpha/r)·B A) x + bias``, with ``W = U S Vᵀ`` split before its ``r`` smallest
    singular values.

    ``A = √(S_r·r/alpha) V_rᵀ (r, n)`` and ``B = U_r √(S_r·r/alpha) (m, r)`` of these values are trained, ``r·(m + n)``
    parameters; ``base`` holds the principal part ``W_p = W − U_r S_r V_rᵀ``.  ``r`` is ``rank``, at most ``min(m, n)``.
    A kernel of rank at most ``min(m, n) − r`` leaves both factors, and so their gradients, at zero.

    Wang, Li, Wang, Chen, Chen: MiLoRA: Harnessing Minor Singular Components for Parameter-Efficient LLM Finetuning,
    2024.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.MiLoRALinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape
        ((2, 6), (4, 2))
    """

    kind = "linear"


class MiLoRAConv(_MiLoRA):
    """`MiLoRALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.MiLoRAConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape
        ((2, 15), (4, 2))
    """

    kind = "convolution"
