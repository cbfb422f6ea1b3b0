"""The loss of a step, for callbacks that change its gradients."""

from __future__ import annotations

from typing import Any

import equinox as eqx


class StepLoss(eqx.Module):
    """The loss of the epoch that comes next as a function of all trained leaves, and the residuals behind it.

    A pytree, so that whoever is shown it may differentiate and compile it once.
    """

    step: Any = eqx.field(static=True)
    state: Any
    frozen: Any
    data: Any

    def __call__(self, parameters: dict[int, Any]) -> Any:
        return self.step.objective.total(parameters, *self.step.setting(self.state, self.frozen, self.data))

    def residuals(self, parameters: dict[int, Any], terms: Any = None) -> Any:
        """The vector whose squares add up to the loss, or the part of it that belongs to these terms."""
        setting = self.step.setting(self.state, self.frozen, self.data)
        return self.step.objective.residuals(parameters, *setting, terms)
