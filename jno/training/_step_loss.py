"""The loss of a step, for callbacks that change its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
from jaxtyping import Array, Float

from jno.trace import Node

from ._context import StepContext
from ._objective import Objective
from ._state import TrainState
from ._types import Data, Leaves, Modules


class StepLoss(eqx.Module):
    """The loss of the next epoch as a function of all trained leaves, and the residuals behind it.

    A pytree, so that a callback may differentiate and compile it once.
    """

    objective: Objective = eqx.field(static=True)
    context_of: Callable[[TrainState, Modules, Data], StepContext] = eqx.field(static=True)
    """What the losses of the epoch after a state depend on, besides the trained leaves."""
    state: TrainState
    frozen: Modules
    data: Data

    def __call__(self, parameters: Leaves) -> Float[Array, ""]:
        return self.objective.total(parameters, self._context)

    def residuals(self, parameters: Leaves, terms: Sequence[int | Node] | None = None) -> Float[Array, " R"]:
        """The vector whose squares add up to the loss, or the part of it that belongs to these terms."""
        return self.objective.residuals(parameters, self._context, terms)

    def jacobian(
        self,
        parameters_of: Callable[[Float[Array, " P"]], Leaves],
        vector: Float[Array, " P"],
        terms: Sequence[int | Node] | None = None,
    ) -> Float[Array, "R P"]:
        """Derivatives of the residuals by a vector that the trained leaves are a function of."""
        return self.objective.jacobian(parameters_of, vector, self._context, terms)

    @property
    def _context(self) -> StepContext:
        return self.context_of(self.state, self.frozen, self.data)
