"""What loss balancers have in common."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from jno.utils import integer

from ._host import is_traced, on_the_host

Losses: TypeAlias = Float[Array | np.ndarray, " K"]
"""The losses of an epoch."""


class Balancer(abc.ABC):
    """A rule that turns the losses of an epoch into weights, with a state on the device.

    ``init(count)`` is the state of ``count`` losses before the first epoch, ``step(state, losses)`` gives the weights
    of an epoch and the next state; both are pure. Called with numbers, ``balancer([0.5, 2.0])``, a balancer keeps the
    state itself. Under `jax.jit` that call is made on the host whenever the compiled function runs; ``step`` with a
    state that is carried stays on the device.

    Args:
        num_losses: the number of losses (default: unknown); a call with another number is an error.

    Attributes:
        least_loss: the least loss that a rule in an expression sees, unless the user chooses another.

    Example:
        >>> import jax.numpy as jnp, jno
        >>> class Inverse(jno.fn.adaptive.Balancer):  # small losses weigh most
        ...     def init(self, count):
        ...         return ()
        ...
        ...     def step(self, state, losses):
        ...         return len(losses) / losses / jnp.sum(1 / losses), state
        >>> Inverse()([1.0, 3.0])
        (1.5, 0.5)
    """

    least_loss: ClassVar[float] = 1e-12

    def __init__(self, num_losses: int | None = None) -> None:
        integer(1).require(num_losses, f"{type(self).__name__}(num_losses)", optional=True)
        self.num_losses = num_losses
        self._state: PyTree = None

    @abc.abstractmethod
    def init(self, count: int) -> PyTree:
        """The state before the first epoch."""

    @abc.abstractmethod
    def step(self, state: PyTree, losses: Losses) -> tuple[Float[Array, " K"], PyTree]:
        """The weights of an epoch and the next state."""

    def refreshed(self, state: PyTree) -> PyTree:
        """The state with what the host has measured by now; called between device calls."""
        return state

    def checked(self, count: int) -> None:
        """Refuse another number of losses than was announced.

        Raises:
            ValueError: naming both.
        """
        if self.num_losses is not None and count != self.num_losses:
            raise ValueError(f"{type(self).__name__}(num_losses={self.num_losses}) was given {count} losses")

    def reset(self) -> None:
        """Forget the state of earlier calls."""
        self._state = None

    def __call__(self, *losses: ArrayLike | Sequence[ArrayLike]) -> tuple[Any, ...]:
        """Weights of one more epoch, constants for gradients: of numbers, a list of them or a vector."""
        vector = jnp.ravel(jnp.asarray(losses[0] if len(losses) == 1 else losses, dtype=jnp.result_type(float)))
        self.checked(len(vector))
        if is_traced(vector):
            return tuple(on_the_host(self, vector.shape, vector))
        state = self.init(len(vector)) if self._state is None else self._state
        weights, self._state = self.step(self.refreshed(state), vector)
        return tuple(float(weight) for weight in np.asarray(weights))
