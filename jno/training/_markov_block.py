"""Markov chains as a parameter block: how they start, one transition of them, and the draws that are kept."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jno.bayesian import SUPPORTED, TUNED, Kernel, log_density_of, position_of
from jno.utils import get_logger

from ._chain_report import chain_report
from ._chains import ChainState, joined, over_chains, repeated
from ._dtypes import like
from ._parameter_block import Loss, ParameterBlock, PosteriorReport
from ._tagged import with_marks
from ._types import Key, Leaves

Tuning: TypeAlias = dict[str, Array]
"""What window adaptation chooses, of one chain or with a leading axis of chains."""

Row: TypeAlias = Float[Array, " K"]
"""Losses of all constraints and the log density, or nothing where the kernel does not tell."""


@dataclasses.dataclass(frozen=True)
class Thinning:
    """Which transitions of a chain become draws: after ``discard`` of them every ``thin``-th, the newest ``keep``."""

    discard: int
    keep: int
    thin: int

    def draws_after(self, transitions: int) -> int:
        """Number of draws after a number of transitions, those that newer ones have overwritten included."""
        return max(0, transitions - self.discard) // self.thin


@dataclasses.dataclass(frozen=True)
class _Transition:
    """What one transition of one chain gives."""

    kernel: PyTree
    facts: dict[str, Array]
    row: Row
    """Losses and log density of the new position, from the evaluation whose density the kernel's state holds."""
    broken: Bool[Array, ""]
    """Whether a density was not a number."""


class MarkovBlock(ParameterBlock):
    """Markov chains."""

    def __init__(self, kernel: Kernel, thinning: Thinning, adaptation: int, jitter: float, **block: Any) -> None:
        super().__init__(**block)
        self.exact = kernel.exact
        self.thinning = thinning
        self.number_of_draws = thinning.keep
        self.adaptation = adaptation
        self._kernel = kernel
        self._jitter = jitter

    # --- the start --------------------------------------------------------------------------------------------
    def empty(self, loss: Loss, parameters: Leaves) -> ChainState:
        """See `ParameterBlock.empty`."""
        position, key = self.pick(parameters), jax.random.PRNGKey(0)
        target, tuning = self.log_density(loss, {}), self._kernel.tuning(position)
        jax.eval_shape(target, position)  # what is wrong with the loss is not the kernel's fault

        def transition(position: Leaves) -> tuple[PyTree, Row, tuple[Leaves, dict[str, Array]]]:
            state = self._kernel.init(key, target, position, tuning)
            new = self._transition(key, loss, {}, state, tuning, None, jnp.int32(0))
            return new.kernel, new.row, (self.stored(position), new.facts)

        try:
            state, row, recorded = jax.eval_shape(transition, position)
        except Exception as error:
            error.add_note(f"raised by the kernel of {self.name}; {SUPPORTED}")
            raise
        zeros = lambda leaf, *axes: jnp.zeros((self.chains, *axes, *leaf.shape), leaf.dtype)  # noqa: E731
        draws, facts = jax.tree_util.tree_map(lambda leaf: zeros(leaf, self.thinning.keep), recorded)
        none = jnp.zeros(self.chains, jnp.int32)
        return ChainState(
            kernel=jax.tree_util.tree_map(zeros, state),
            losses=zeros(row),
            tuning=repeated(tuning, self.chains),
            draws=draws,
            facts=facts,
            divergent=none,
            broken=none,
            transitions=jnp.int32(0),
            kept=jnp.int32(0),
            started=jnp.bool_(False),
        )

    def scattered(self, key: Key, positions: Leaves) -> Leaves:
        """The starts of the chains, with noise of the standard deviation ``init_jitter``."""
        leaves, structure = jax.tree_util.tree_flatten(positions)
        keys = jax.random.split(key, max(1, len(leaves)))
        noisy = [x + self._jitter * jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=False)]
        return jax.tree_util.tree_unflatten(structure, noisy)

    def tuning(self, parameters: Leaves, suggested: dict[str, Any]) -> Tuning:
        """Tuning of every chain before adaptation; ``suggested`` by an initializer."""
        default = self._kernel.tuning(self.pick(parameters))
        unknown = sorted(suggested.keys() - default.keys() - set(TUNED))
        if unknown:
            raise ValueError(
                f"{self.name}: the initializer suggests {', '.join(unknown)}, which the kernel does not take"
            )
        taken = self._kernel.taken(suggested)
        for name in sorted(suggested.keys() - taken.keys()):
            reason = "that of bayesian() counts" if name in default else "the kernel needs none"
            get_logger().info(f"{self.name}: the chains start where the initializer says, without its {name}: {reason}")
        return repeated({**default, **like(taken, {name: default[name] for name in taken})}, self.chains)

    def start(
        self, key: Key, loss: Loss, positions: Leaves, tuning: Tuning, conditions: Leaves, state: ChainState
    ) -> tuple[ChainState, Float[Array, " chains"]]:
        """The state with chains at these positions (adapted first), and their log densities; to be traced."""

        def of_chain(
            key: Key, position: Leaves, tuning: Tuning, conditions: Leaves
        ) -> tuple[PyTree, Row, Tuning, Array]:
            target = self.log_density(loss, conditions)
            adapt_key, init_key = jax.random.split(key)
            density = target(position)
            if self.adaptation:
                position, tuning = self._kernel.adapted(adapt_key, target, position, tuning, self.adaptation)
            kernel, row = self._fresh(init_key, loss, conditions, position, tuning, state)
            return kernel, row, tuning, density

        keys = jax.random.split(key, self.chains)
        kernel, row, tuning, densities = over_chains(of_chain, self.chains, keys, positions, tuning, conditions)
        begun = dataclasses.replace(state, kernel=kernel, losses=row, tuning=tuning, started=jnp.bool_(True))
        return begun, densities

    def renewed(self, key: Key, loss: Loss, state: ChainState, conditions: Leaves) -> ChainState:
        """The state with everything computed again that depends on the loss."""

        def of_chain(key: Key, kernel: PyTree, tuning: Tuning, conditions: Leaves) -> tuple[PyTree, Row]:
            return self._fresh(key, loss, conditions, position_of(kernel), tuning, state)

        keys = jax.random.split(key, self.chains)
        kernel, row = over_chains(of_chain, self.chains, keys, state.kernel, state.tuning, conditions)
        return dataclasses.replace(state, kernel=kernel, losses=row)

    def _fresh(
        self, key: Key, loss: Loss, conditions: Leaves, position: Leaves, tuning: Tuning, state: ChainState
    ) -> tuple[PyTree, Row]:
        """The kernel's state at a position, and its losses if they are followed."""
        kernel = self._kernel.init(key, self.log_density(loss, conditions), position, tuning)
        return kernel, self._row(loss, conditions, position) if state.losses.shape[-1] else jnp.zeros(0)

    def _row(self, loss: Loss, conditions: Leaves, position: Leaves) -> Row:
        losses = loss(joined(conditions, self.stored(position)))
        return jnp.append(losses, self.log_density(loss, conditions)(position))

    # --- one transition ---------------------------------------------------------------------------------------
    def advance(
        self, key: Key, loss: Loss, state: ChainState, conditions: Leaves, chains: int, *, refresh: bool
    ) -> ChainState:
        """See `ParameterBlock.advance`."""

        def of_chain(
            key: Key, kernel: PyTree, tuning: Tuning, row: Row | None, conditions: Leaves
        ) -> tuple[PyTree, dict[str, Array], Row, Bool[Array, ""]]:
            if refresh and self.exact:
                kernel = self._kernel.init(key, self.log_density(loss, conditions), position_of(kernel), tuning)
                row = None
            new = self._transition(key, loss, conditions, kernel, tuning, row, state.transitions)
            return new.kernel, new.facts, new.row, new.broken

        keys = jax.random.split(key, self.chains) if self.chains > 1 else key[None]
        trees = (keys, state.kernel, state.tuning, state.losses, conditions)
        kernel, facts, row, broken = over_chains(of_chain, self.chains, *trees)
        return self._recorded(dataclasses.replace(state, kernel=kernel, losses=row), facts, broken)

    def _transition(
        self,
        key: Key,
        loss: Loss,
        conditions: Leaves,
        kernel: PyTree,
        tuning: Tuning,
        row: Row | None,
        count: Int[Array, ""],
    ) -> _Transition:
        """One transition of one chain.

        ``row`` is that of the old position, ``None`` if it is not known.  Kernels that evaluate the density in loops,
        or whose states do not hold it, do not tell the losses.
        """
        target = self.log_density(loss, conditions)
        step = lambda *arrays: self._kernel.step(arrays[0], target, *arrays[1:])  # noqa: E731
        (kernel, facts), evaluations = with_marks(step, key, kernel, tuning, count)
        broken = ~jnp.isfinite(facts.get("acceptance_rate", jnp.zeros(())))
        for evaluation in evaluations:  # kernels reject such proposals; -inf is a place without probability
            broken |= jnp.isnan(evaluation[-1])
        density = log_density_of(kernel)
        if density is None or not evaluations:
            return _Transition(kernel, facts, jnp.zeros(0), broken)
        # the evaluation of the new position is found by its density; a rejected proposal leaves the old row
        new = jnp.full_like(evaluations[0], jnp.nan) if row is None else row
        for evaluation in evaluations:
            new = jnp.where(evaluation[-1] == density, evaluation, new)
        again = lambda: self._row(loss, conditions, position_of(kernel)).astype(new.dtype)  # noqa: E731
        return _Transition(kernel, facts, jax.lax.cond(new[-1] == density, lambda: new, again), broken)

    def _recorded(self, state: ChainState, facts: dict[str, Array], broken: Bool[Array, " chains"]) -> ChainState:
        """The state with the draws of its positions, and counted on."""
        past = state.transitions >= self.thinning.discard
        keeping = past & ((state.transitions + 1 - self.thinning.discard) % self.thinning.thin == 0)
        slot = state.kept % self.thinning.keep

        def put(ring: Array, new: Array) -> Array:
            return ring.at[:, slot].set(jnp.where(keeping, new, ring[:, slot]))

        divergent = facts.get("is_divergent", jnp.zeros(self.chains, bool))
        return dataclasses.replace(
            state,
            draws=jax.tree_util.tree_map(put, state.draws, self.positions(state)),
            facts=jax.tree_util.tree_map(put, state.facts, facts),
            divergent=state.divergent + (divergent & past),
            broken=state.broken + (broken & past),
            transitions=state.transitions + 1,
            kept=state.kept + keeping,
        )

    # --- values -----------------------------------------------------------------------------------------------
    def positions(self, state: ChainState) -> Leaves:
        """See `ParameterBlock.positions`."""
        return self.stored(self.position(state))

    def position(self, state: ChainState) -> Leaves:
        """See `ParameterBlock.position`."""
        position: Leaves = position_of(state.kernel)
        return position

    def drawn(self, key: Key, state: ChainState, chains: int) -> Leaves:
        """See `ParameterBlock.drawn`: where the chains are."""
        return self.positions(state)

    def recorded_losses(self, state: ChainState) -> Float[Array, " C"] | None:
        """See `ParameterBlock.recorded_losses`."""
        return jnp.mean(state.losses[:, :-1], axis=0) if state.losses.shape[-1] else None

    # --- the end ----------------------------------------------------------------------------------------------
    def check_epochs(self, state: ChainState, epochs: int) -> str:
        """See `ParameterBlock.check_epochs`."""
        done, thinning = int(state.transitions), self.thinning
        draws = thinning.draws_after(done + epochs)
        if draws == 0:
            raise ValueError(
                f"epochs={epochs} ends before the first draw of {self.name} is kept: after {thinning.discard} "
                f"transitions of warm-up every {thinning.thin}. is kept; "
                f"use epochs={thinning.discard + thinning.keep * thinning.thin}"
            )
        if draws >= thinning.keep:
            return ""
        return (
            f"{self.name}: {draws} of keep={thinning.keep} draws after epochs={epochs}; all of them need "
            f"{thinning.discard + thinning.thin * thinning.keep - done} epochs"
        )

    def report(self, state: ChainState, chains: int, key: Key) -> PosteriorReport:
        """See `ParameterBlock.report`."""
        transitions = max(0, int(state.transitions) - self.thinning.discard) * self.chains
        return chain_report(self.name, state, self.thinning.keep, transitions)
