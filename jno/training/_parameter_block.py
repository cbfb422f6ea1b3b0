"""What is sampled together: the leaves of one or several models with one posterior."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ._chains import first_chain, joined, repeated
from ._dtypes import like, widened
from ._tagged import marked
from ._types import Key, Leaves

Loss: TypeAlias = Callable[[Leaves], Array]
"""The losses of the constraints as a function of the sampled leaves."""

LogDensity: TypeAlias = Callable[[Leaves], Array]
"""A log density of sampled leaves, up to a constant."""


@dataclasses.dataclass(frozen=True)
class PosteriorReport:
    """What a parameter block leaves behind when training ends."""

    draws: Leaves
    """``(chains, draws, ...)``"""
    diagnostics: dict[str, Any]
    summary: str
    """The line that the log says of every model."""
    complaints: tuple[str, ...] = ()
    """Reasons for which the draws may not represent the posterior."""


class ParameterBlock(abc.ABC):
    """Leaves of one or several models that are sampled together, conditional on all other leaves.

    Args:
        name: for messages, and to find its state again.
        selected: filter of the leaves by model id.
        stored: the leaves as the models have them, for their dtypes.
        prior: log density of the leaves.
        scale: factor of the loss in the log density.
        chains: number of chains.
    """

    exact: bool
    """Whether the loss must be the same whenever it is evaluated."""
    adaptation: int
    """Transitions of window adaptation before the first epoch."""
    number_of_draws: int
    """Draws per chain, at most."""

    def __init__(
        self, name: str, selected: Leaves, stored: Leaves, prior: LogDensity, scale: float, chains: int
    ) -> None:
        self.name = name
        self.selected = selected
        self._dtypes = jax.tree_util.tree_map(lambda leaf: jax.ShapeDtypeStruct((), leaf.dtype), stored)
        self.chains = chains
        self._prior = prior
        self._scale = scale

    def pick(self, parameters: Leaves) -> Leaves:
        """The block's leaves, at least in the default dtype: the one in which kernels draw noise."""
        return widened({i: eqx.filter(parameters[i], selected) for i, selected in self.selected.items()})

    def stored(self, position: Leaves) -> Leaves:
        """A position in the dtypes of the models: where losses are evaluated, and what draws are."""
        return like(position, self._dtypes)

    def log_density(self, loss: Loss, conditions: Leaves) -> LogDensity:
        """The log density of the block's leaves, conditional on those of other blocks."""

        def density(position: Leaves) -> Float[Array, ""]:
            losses = loss(joined(conditions, self.stored(position)))
            return marked(losses, widened(self._prior(position) - self._scale * jnp.mean(widened(losses))))

        return density

    def fits(self, state: PyTree) -> bool:
        """Whether a state is that of these models; models read from a file have other ids."""
        return self.position(state).keys() == self.selected.keys()

    @abc.abstractmethod
    def empty(self, loss: Loss, parameters: Leaves) -> PyTree:
        """The state before the chains are started."""

    @abc.abstractmethod
    def advance(self, key: Key, loss: Loss, state: PyTree, conditions: Leaves, chains: int, *, refresh: bool) -> PyTree:
        """The state after one transition.

        Args:
            key: random key.
            loss: the losses of the phase.
            state: of the block.
            conditions: leaves of the other blocks ``(chains, ...)``.
            chains: their number of chains.
            refresh: whether the loss has changed since the last transition.
        """

    @abc.abstractmethod
    def position(self, state: PyTree) -> Leaves:
        """The point values of a state, in the dtype they are sampled in."""

    @abc.abstractmethod
    def positions(self, state: PyTree) -> Leaves:
        """The block's point values as the models store them, with a leading axis of the block's chains."""

    @abc.abstractmethod
    def drawn(self, key: Key, state: PyTree, chains: int) -> Leaves:
        """One draw per chain."""

    @abc.abstractmethod
    def recorded_losses(self, state: PyTree) -> Float[Array, " C"] | None:
        """The losses at the point values if the last transition has computed them, their mean over chains."""

    @abc.abstractmethod
    def check_epochs(self, state: PyTree, epochs: int) -> str:
        """What to tell the user about the number of draws after some more epochs; mostly nothing.

        Raises:
            ValueError: not a single draw would be kept.
        """

    @abc.abstractmethod
    def report(self, state: PyTree, chains: int, key: Key) -> PosteriorReport:
        """Draws and diagnostics on the host.

        Args:
            state: at the end of training.
            chains: number of chains of all blocks.
            key: for draws from approximations.
        """


def sampled_values(
    blocks: Sequence[ParameterBlock], states: Sequence[PyTree], chains: int, key: Key | None = None
) -> Leaves:
    """Values of all sampled leaves ``(chains, ...)``: point values, with a key draws."""
    values: Leaves = {}
    for number, (block, state) in enumerate(zip(blocks, states, strict=True)):
        if key is None:
            leaves = block.positions(state)
            if block.chains < chains:
                leaves = repeated(first_chain(leaves), chains)
        else:
            leaves = block.drawn(jax.random.fold_in(key, number), state, chains)
        values = joined(values, leaves)
    return values
