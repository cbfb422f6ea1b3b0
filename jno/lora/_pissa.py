"""Adaptation of the principal singular components."""

from __future__ import annotations

from ._singular import SingularUpdate


class _PiSSA(SingularUpdate):
    @staticmethod
    def part(r: int) -> slice:
        """The largest ``r``."""
        return slice(r)


class PiSSALinear(_PiSSA):
    """PiSSA of a linear layer: ``(W_res + (alpha/r)·B A) x + bias``, with ``W = U S Vᵀ`` split after its ``r`` largest
    singular values.

    ``A = √(S_r·r/alpha) V_rᵀ (r, n)`` and ``B = U_r √(S_r·r/alpha) (m, r)`` are trained, ``r·(m + n)`` parameters;
    ``base`` holds the residual ``W_res = W − U_r S_r V_rᵀ``.  ``r`` is ``rank``, at most ``min(m, n)``.  The paper has
    ``alpha = r``; a smaller one slows the change of ``W`` per step.

    Meng, Wang, Zhang: PiSSA: Principal Singular Values and Singular Vectors Adaptation of Large Language Models, 2024.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.PiSSALinear(eqx.nn.Linear(6, 4, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape
        ((2, 6), (4, 2))
    """

    kind = "linear"


class PiSSAConv(_PiSSA):
    """`PiSSALinear` of a convolution: its kernel is the matrix ``(m, n)`` with ``n = (in / groups)·k…``.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> key = jax.random.PRNGKey(0)
        >>> layer = jno.lora.PiSSAConv(eqx.nn.Conv1d(3, 4, kernel_size=5, key=key), rank=2, alpha=4, key=key)
        >>> layer.A.shape, layer.B.shape
        ((2, 15), (4, 2))
    """

    kind = "convolution"
