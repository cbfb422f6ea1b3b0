"""What one gradient step works on, and what it computes."""

from __future__ import annotations

import dataclasses

import equinox as eqx
from jaxtyping import Array, Float

from ._types import Data, Key, Leaves, Modules


@dataclasses.dataclass(frozen=True)
class StepContext:
    """What the losses of a gradient step depend on besides the leaves it trains."""

    fixed: Modules
    """Modules without their trained leaves."""
    batch: Data
    """The data of the samples that the step sees."""
    key: Key | None
    """The key of noise, dropout and the like; without one there are none."""
    sampled: Leaves = dataclasses.field(default_factory=dict)
    """The leaves of Bayesian models, with a leading axis of chains."""

    def modules(self, parameters: Leaves) -> Modules:
        """Complete modules by model id, with these trained leaves."""
        return combined(self.fixed, parameters)


class Gradients(eqx.Module):
    """The loss of a gradient step and its gradient with respect to the leaves that optimizers train."""

    total: Float[Array, ""]
    """The mean over the constraints."""
    losses: Float[Array, " C"]
    """Every constraint's mean."""
    leaves: Leaves
    """The gradient of the total."""


def combined(fixed: Modules, parameters: Leaves) -> Modules:
    """Complete modules by model id."""
    return {**fixed, **{i: eqx.combine(leaves, fixed[i]) for i, leaves in parameters.items()}}
