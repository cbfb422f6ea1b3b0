"""Weights of a Gaussian likelihood with trained variances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from jno.utils import NONNEGATIVE, NUMBER, Kind, checked, number

from ._balancer import Balancer, Losses

LbPINNsState: TypeAlias = tuple[Float[Array, " K"], PyTree]
"""``s`` and Adam's state."""


_START = Kind(
    "a number, or a list of one number per loss",
    lambda value: _are_numbers(value if isinstance(value, list | tuple | np.ndarray | jax.Array) else [value]),
)


def _are_numbers(values: Any) -> bool:
    return getattr(values, "ndim", 1) == 1 and len(values) > 0 and all(map(NUMBER.accepts, values))


class LbPINNsLossBalancing(Balancer):
    """Weights ``½ exp(−s)`` whose logarithmic variances ``s`` minimise ``½ exp(−s) L + s``, one Adam step an epoch.

    Args:
        num_losses: see `Balancer`.
        init_s: first ``s``, a number or one per loss.
        lr_s: learning rate of ``s``.
        beta1: decay of Adam's first moment.
        beta2: decay of Adam's second moment.
        eps_adam: Adam's ε.
        s_min: least ``s``.
        s_max: greatest ``s``.
        loss_floor: least loss.

    Raises:
        ValueError: ``init_s`` of another length than there are losses.

    Example:
        >>> import jno
        >>> rule = jno.fn.adaptive.LbPINNsLossBalancing(lr_s=0.1)
        >>> _ = rule([0.5, 4.0])
        >>> tuple(round(weight, 3) for weight in rule([0.5, 4.0]))
        (0.611, 0.41)

    Source: Z. Xiang, W. Peng, X. Liu, W. Yao, "Self-adaptive loss balanced physics-informed neural networks",
    Neurocomputing 2022.
    """

    @checked(
        init_s=_START,
        lr_s=NONNEGATIVE,
        beta1=number(0, below=1),
        beta2=number(0, below=1),
        eps_adam=NONNEGATIVE,
        s_min=NUMBER,
        s_max=NUMBER,
        loss_floor=NONNEGATIVE,
    )
    def __init__(
        self,
        num_losses: int | None = None,
        init_s: float | Sequence[float] = 0.0,
        lr_s: float = 1e-2,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps_adam: float = 1e-8,
        s_min: float = -20.0,
        s_max: float = 20.0,
        loss_floor: float = 1e-12,
    ) -> None:
        super().__init__(num_losses)
        if s_min >= s_max:
            raise ValueError(f"s_min={s_min} must be below s_max={s_max}")
        self.init_s, self.s_min, self.s_max, self.loss_floor = init_s, s_min, s_max, loss_floor
        self._adam = optax.adam(lr_s, beta1, beta2, eps_adam)

    def init(self, count: int) -> LbPINNsState:
        """See `Balancer.init`."""
        start = jnp.asarray(self.init_s, dtype=jnp.result_type(float))
        if start.shape not in ((), (count,)):
            raise ValueError(f"init_s has shape {start.shape}: one number, or one per loss, of which there are {count}")
        s = jnp.clip(jnp.broadcast_to(start, (count,)), self.s_min, self.s_max)
        return (s, self._adam.init(s))

    def step(self, state: LbPINNsState, losses: Losses) -> tuple[Float[Array, " K"], LbPINNsState]:
        """See `Balancer.step`."""
        s, adam = state
        slope = 1.0 - 0.5 * jnp.exp(-s) * jnp.maximum(losses, self.loss_floor)
        update, adam = self._adam.update(slope, adam)
        s = jnp.clip(s + update, self.s_min, self.s_max)
        return 0.5 * jnp.exp(-s), (s, adam)
