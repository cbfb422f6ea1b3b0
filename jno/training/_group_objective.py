"""The loss as one optimizer group sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import equinox as eqx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from jno.trace import Node

from ._chains import first_chain, joined, mean_over_chains
from ._context import StepContext
from ._groups import OptimizerGroup
from ._objective import Objective
from ._types import Leaves


@dataclasses.dataclass(frozen=True)
class GroupObjective:
    """The loss of one group's leaves (the mean over chains), and the residuals behind it for optimizers that need
    them."""

    objective: Objective
    group: OptimizerGroup
    parameters: Leaves
    """All trained leaves, those of the group included."""
    context: StepContext
    chains: int

    def __call__(self, leaves: PyTree) -> Float[Array, ""]:
        def of_chain(sampled: Leaves) -> Float[Array, ""]:
            return self.objective.total(joined(self._with(leaves), sampled), self.context)

        return mean_over_chains(of_chain, self.chains, self.context.sampled)

    def residuals(self, leaves: PyTree, terms: Sequence[int | Node] | None = None) -> Float[Array, " R"]:
        """The vector whose squares add up to the loss, or the part of it that belongs to these terms."""
        return self.objective.residuals(self._all(leaves), self.context, terms)

    def jacobian(self, leaves: PyTree, terms: Sequence[int | Node] | None = None) -> Float[Array, "R P"]:
        """Derivatives of the residuals by the leaves, flattened as by `jax.flatten_util.ravel_pytree`."""
        vector, unravel = ravel_pytree(leaves)
        return self.objective.jacobian(lambda v: self._all(unravel(v)), vector, self.context, terms)

    def _all(self, leaves: PyTree) -> Leaves:
        """All leaves that the residuals depend on besides fixed ones."""
        if self.chains > 1:
            raise ValueError(
                f"this optimizer needs the residuals of one set of weights: it cannot train beside a Bayesian model of "
                f"num_chains={self.chains}; use num_chains=1"
            )
        return joined(self._with(leaves), first_chain(self.context.sampled))

    def _with(self, leaves: PyTree) -> Leaves:
        """All trained leaves with these of the group."""
        layer_id = self.group.layer_id
        return {**self.parameters, layer_id: eqx.combine(leaves, self.parameters[layer_id])}
