"""A Gaussian approximation as a parameter block."""

from __future__ import annotations

from typing import Any

import jax
from jaxtyping import Array, Float

from jno.bayesian import GaussianApproximation

from ._chains import VariationalState, mean_over_chains, repeated
from ._parameter_block import Loss, ParameterBlock, PosteriorReport
from ._types import Key, Leaves


class VariationalBlock(ParameterBlock):
    """A Gaussian whose evidence lower bound is maximised."""

    exact = False
    adaptation = 0

    def __init__(self, approximation: GaussianApproximation, draws: int, **block: Any) -> None:
        super().__init__(**block, chains=1)
        self.number_of_draws = draws
        self._approximation = approximation

    def empty(self, loss: Loss, parameters: Leaves) -> VariationalState:
        """See `ParameterBlock.empty`."""
        return VariationalState(self._approximation.init(self.pick(parameters)))

    def advance(
        self, key: Key, loss: Loss, state: VariationalState, conditions: Leaves, chains: int, *, refresh: bool
    ) -> VariationalState:
        """See `ParameterBlock.advance`; over several chains of the other blocks the mean loss counts."""

        def target(position: Leaves) -> Float[Array, ""]:
            return mean_over_chains(lambda c: self.log_density(loss, c)(position), chains, conditions)

        return VariationalState(self._approximation.step(key, target, state.approximation))

    def positions(self, state: VariationalState) -> Leaves:
        """See `ParameterBlock.positions`: the mean."""
        return repeated(self.stored(self.position(state)), 1)

    def position(self, state: VariationalState) -> Leaves:
        """See `ParameterBlock.position`: the mean."""
        mean: Leaves = state.approximation.mu
        return mean

    def drawn(self, key: Key, state: VariationalState, chains: int) -> Leaves:
        """See `ParameterBlock.drawn`."""
        return self.stored(self._approximation.sample(key, state.approximation, chains))

    def recorded_losses(self, state: VariationalState) -> None:
        """See `ParameterBlock.recorded_losses`: a step evaluates the losses at draws only."""
        return None

    def check_epochs(self, state: VariationalState, epochs: int) -> str:
        """See `ParameterBlock.check_epochs`: there are as many draws as the user wants."""
        return ""

    def report(self, state: VariationalState, chains: int, key: Key) -> PosteriorReport:
        """See `ParameterBlock.report`."""
        total = chains * self.number_of_draws
        draws = jax.device_get(self.drawn(key, state, total))
        shape = (chains, self.number_of_draws)
        by_chain = jax.tree_util.tree_map(lambda leaf: leaf.reshape(*shape, *leaf.shape[1:]), draws)
        return PosteriorReport(by_chain, {}, f"{total} draws of a Gaussian approximation")
