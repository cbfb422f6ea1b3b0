"""A learning rate that follows the slope of the loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from jno.utils import POSITIVE, checked, is_integer, number

from ._host import is_traced, on_the_host


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DLRSState:
    """The last total losses (the newest last), how many there have been, and the rate."""

    losses: Float[Array, " window"]
    count: Int[Array, ""]
    rate: Float[Array, ""]


_LONGEST_WINDOW = 1_000_000
_FACTOR = number(0, 9)  # nine times the leading digit's place value is the rate itself


class DLRS:
    """Dynamic learning-rate scheduler, for ``Model.scale``: the rate falls when the loss rises and grows when it falls.

    The slope is the change of the total loss over the last ``window`` epochs divided by its mean there. Every epoch
    changes the rate by the place value of its leading digit, ``10 ** floor(log10(rate))``, times
    ``-decremental_factor`` for a slope above one, ``-stagnation_factor`` for one in (0, 1], and ``increment_factor``
    otherwise. The state lives on the device, with the optimizer's.

    Args:
        lr0: rate of the first epoch.
        window: number of losses that the slope is taken over, at least 2.
        decremental_factor: see above.
        stagnation_factor: see above.
        increment_factor: see above.
        min_lr: lower bound of the rate.
        max_lr: upper bound of the rate.

    Raises:
        ValueError: a rate outside of the bounds, or a window below 2.

    Source: D. Veerababu, A. A. Raikar, P. K. Ghosh, "Improving neural network training using dynamic learning rate
    schedule for PINNs and image classification", 2025.

    Example:
        >>> import jno
        >>> rate = jno.schedule.dlrs(lr0=0.5, window=2)
        >>> tuple(round(float(rate(0, [loss])), 3) for loss in (1.0, 0.9, 5.0))
        (0.5, 0.51, 0.46)
    """

    @checked(
        lr0=POSITIVE,
        decremental_factor=_FACTOR,
        stagnation_factor=_FACTOR,
        increment_factor=_FACTOR,
        min_lr=POSITIVE,
        max_lr=POSITIVE,
    )
    def __init__(
        self,
        lr0: float | int = 1e-3,
        window: int = 10,
        decremental_factor: float | int = 0.5,
        stagnation_factor: float | int = 0.1,
        increment_factor: float | int = 0.1,
        min_lr: float | int = 1e-10,
        max_lr: float | int = 1.0,
    ) -> None:
        if not 0.0 < min_lr <= lr0 <= max_lr:
            raise ValueError(f"DLRS: lr0={lr0} must lie in [min_lr, max_lr] = [{min_lr}, {max_lr}] with min_lr > 0")
        if not is_integer(window, 2) or window > _LONGEST_WINDOW:
            raise ValueError(
                f"DLRS: window={window!r} must be an integer of at least 2 (and at most {_LONGEST_WINDOW})"
            )
        self.lr0, self.window = float(lr0), window
        self._factors = (float(decremental_factor), float(stagnation_factor), -float(increment_factor))
        self.min_lr, self.max_lr = float(min_lr), float(max_lr)
        self._state: DLRSState | None = None

    def init(self) -> DLRSState:
        """The state before the first epoch."""
        return DLRSState(jnp.zeros(self.window), jnp.zeros((), jnp.int32), jnp.asarray(self.lr0))

    def step(self, state: DLRSState, losses: ArrayLike | Sequence[ArrayLike]) -> tuple[Float[Array, ""], DLRSState]:
        """The rate of an epoch with these losses, and the next state; pure."""
        total = jnp.sum(jnp.asarray(losses, dtype=float))
        recent = jnp.append(state.losses[1:], total)
        count = state.count + 1
        seen = jnp.arange(self.window) >= self.window - count
        oldest = recent[jnp.maximum(self.window - count, 0)]
        mean = jnp.sum(jnp.where(seen, recent, 0.0)) / jnp.minimum(count, self.window)
        slope = (total - oldest) / jnp.where(mean == 0.0, 1.0, mean)
        falling, stagnating, growing = self._factors
        factor = jnp.where(slope > 1.0, falling, jnp.where(slope > 0.0, stagnating, growing))
        adapted = state.rate - 10.0 ** jnp.floor(jnp.log10(state.rate)) * factor
        rate = jnp.where(count > 1, jnp.clip(adapted, self.min_lr, self.max_lr), state.rate)
        return rate, DLRSState(recent, count, rate)

    def __call__(self, epoch: ArrayLike, losses: ArrayLike | Sequence[ArrayLike]) -> Float[Array, ""]:
        """The rate for the next losses, by hand: this object then keeps the state, under `jax.jit` on the host.

        Training keeps its own.
        """
        if is_traced(losses):
            return on_the_host(lambda values: self(epoch, values), (), losses)
        rate, self._state = self.step(self.init() if self._state is None else self._state, losses)
        return rate

    def reset(self) -> None:
        """Forget what calls by hand have seen."""
        self._state = None
