"""Sampled leaves during training: their states, one transition of all of them, the draws that are kept."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.bayesian import SUPPORTED, TUNED, GaussianApproximation, Kernel, log_density_of, position_of
from jno.utils import get_logger

from ._dtypes import like, widened
from ._tagged import marked, with_marks

Leaves = dict[int, Any]
"""Trained leaves by model id, ``None`` elsewhere."""

Loss = Callable[[Leaves], Any]
"""The losses of the constraints as a function of the sampled leaves."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ChainState:
    """Chains of one block; arrays have a leading axis of chains, those of ``draws`` and ``facts`` then one of draws."""

    kernel: Any
    losses: Any
    """Losses of all constraints and the log density, as the kernel has computed them; empty if it does not tell."""
    tuning: dict[str, Any]
    draws: Any
    """A ring: draw number ``n`` lies at ``n % keep``."""
    facts: dict[str, Any]
    divergent: Any
    """Divergent transitions after the warm-up."""
    broken: Any
    """Transitions after the warm-up that met a log density or acceptance rate that is not a number."""
    transitions: Any
    kept: Any
    started: Any


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which transitions of a chain are kept: after ``discard`` of them every ``thin``-th, the newest ``keep``."""

    discard: int
    keep: int
    thin: int

    def kept(self, transitions: int) -> int:
        """Number of draws after so many transitions, those overwritten by now included."""
        return max(0, transitions - self.discard) // self.thin


class Block(abc.ABC):
    """Leaves of one or several models whose posterior is looked for together.

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

    def __init__(
        self,
        name: str,
        selected: Leaves,
        stored: Leaves,
        prior: Callable[[Leaves], Any],
        scale: float,
        chains: int,
    ) -> None:
        self.name = name
        self.selected = selected
        self._dtypes = jax.tree_util.tree_map(lambda leaf: jax.ShapeDtypeStruct((), leaf.dtype), stored)
        self.chains = chains
        self._prior = prior
        self._scale = scale

    def pick(self, parameters: Leaves) -> Leaves:
        """The block's leaves, at least in the default dtype: the one in which kernels draw noise."""
        return widened({i: eqx.filter(parameters[i], chosen) for i, chosen in self.selected.items()})

    def stored(self, position: Leaves) -> Leaves:
        """A position in the dtypes of the models: where losses are evaluated, and what draws are."""
        return like(position, self._dtypes)

    def log_density(self, loss: Loss, others: Leaves) -> Callable[[Leaves], Any]:
        """Of the block's leaves, given those of other blocks."""

        def density(position: Leaves) -> Any:
            losses = loss(joined(others, self.stored(position)))
            return marked(losses, widened(self._prior(position) - self._scale * jnp.mean(widened(losses))))

        return density

    @abc.abstractmethod
    def empty(self, loss: Loss, parameters: Leaves) -> Any:
        """The state before the chains are started."""

    @abc.abstractmethod
    def advance(self, key: Any, loss: Loss, state: Any, others: Leaves, chains: int, *, refresh: bool) -> Any:
        """One transition, given the others' positions ``(chains, ...)``; ``refresh``: the loss has changed since."""

    def has_made(self, state: Any) -> bool:
        """Whether a state is that of these models; models read from a file have other ids."""
        return self._position(state).keys() == self.selected.keys()

    @abc.abstractmethod
    def _position(self, state: Any) -> Leaves:
        """The point values of a state, in the dtype they are sampled in."""

    @abc.abstractmethod
    def positions(self, state: Any) -> Leaves:
        """The block's point values, with a leading axis of its own chains."""

    @abc.abstractmethod
    def drawn(self, key: Any, state: Any, chains: int) -> Leaves:
        """One draw per chain."""


class MarkovBlock(Block):
    """Markov chains."""

    def __init__(self, kernel: Kernel, plan: Plan, adaptation: int, jitter: float, **block: Any) -> None:
        super().__init__(**block)
        self.exact = kernel.exact
        self.plan = plan
        self.adaptation = adaptation
        """Transitions of window adaptation before the first epoch."""
        self._kernel = kernel
        self._jitter = jitter

    def empty(self, loss: Loss, parameters: Leaves) -> ChainState:
        """See `Block.empty`."""
        position, key = self.pick(parameters), jax.random.PRNGKey(0)
        target, tuning = self.log_density(loss, {}), self._kernel.tuning(position)
        jax.eval_shape(target, position)  # what is wrong with the loss is not the kernel's fault

        def first(position: Leaves) -> Any:
            state = self._kernel.init(key, target, position, tuning)
            moved, facts, row, _ = self._transition(key, loss, {}, state, tuning, None, jnp.int32(0))
            return moved, row, (self.stored(position), facts)

        try:
            state, row, kept = jax.eval_shape(first, position)
        except Exception as error:
            error.add_note(f"raised by the kernel of {self.name}; {SUPPORTED}")
            raise
        zeros = lambda leaf, *axes: jnp.zeros((self.chains, *axes, *leaf.shape), leaf.dtype)  # noqa: E731
        draws, facts = jax.tree_util.tree_map(lambda leaf: zeros(leaf, self.plan.keep), kept)
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

    def scattered(self, key: Any, positions: Leaves) -> Leaves:
        """The starts of the chains with the noise that was asked for."""
        leaves, structure = jax.tree_util.tree_flatten(positions)
        keys = jax.random.split(key, max(1, len(leaves)))
        moved = [x + self._jitter * jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=False)]
        return jax.tree_util.tree_unflatten(structure, moved)

    def tuning(self, parameters: Leaves, suggested: dict[str, Any]) -> dict[str, Any]:
        """Tuning of every chain before adaptation; ``suggested`` by an initializer."""
        own = self._kernel.tuning(self.pick(parameters))
        unknown = sorted(suggested.keys() - own.keys() - set(TUNED))
        if unknown:
            raise ValueError(
                f"{self.name}: the initializer suggests {', '.join(unknown)}, which the kernel does not take"
            )
        taken = self._kernel.taken(suggested)
        for name in sorted(suggested.keys() - taken.keys()):
            reason = "that of bayesian() counts" if name in own else "the kernel needs none"
            get_logger().info(f"{self.name}: the chains start where the initializer says, without its {name}: {reason}")
        return repeated({**own, **like(taken, {name: own[name] for name in taken})}, self.chains)

    def start(self, key: Any, loss: Loss, positions: Leaves, tuning: Any, others: Leaves, state: ChainState) -> Any:
        """The state with chains at these positions (adapted first), and their log densities; to be traced."""

        def of_chain(key: Any, position: Leaves, tuning: Any, others: Leaves) -> Any:
            target = self.log_density(loss, others)
            adapt_key, init_key = jax.random.split(key)
            first = target(position)
            if self.adaptation:
                position, tuning = self._kernel.adapted(adapt_key, target, position, tuning, self.adaptation)
            return (*self._fresh(init_key, loss, others, position, tuning, state.losses.shape), tuning, first)

        keys = jax.random.split(key, self.chains)
        kernel, row, tuning, densities = over_chains(of_chain, self.chains, keys, positions, tuning, others)
        begun = dataclasses.replace(state, kernel=kernel, losses=row, tuning=tuning, started=jnp.bool_(True))
        return begun, densities

    def renewed(self, key: Any, loss: Loss, state: ChainState, others: Leaves) -> ChainState:
        """The state with everything computed again that depends on the loss."""

        def of_chain(key: Any, own: Any, tuning: Any, others: Leaves) -> Any:
            return self._fresh(key, loss, others, position_of(own), tuning, state.losses.shape)

        keys = jax.random.split(key, self.chains)
        kernel, row = over_chains(of_chain, self.chains, keys, state.kernel, state.tuning, others)
        return dataclasses.replace(state, kernel=kernel, losses=row)

    def _fresh(self, key: Any, loss: Loss, others: Leaves, position: Leaves, tuning: Any, shape: Any) -> Any:
        """The kernel's state at a position, and its losses if they are followed."""
        target = self.log_density(loss, others)
        own = self._kernel.init(key, target, position, tuning)
        return own, self._row(loss, others, position) if shape[-1] else jnp.zeros(0)

    def _row(self, loss: Loss, others: Leaves, position: Leaves) -> Any:
        return jnp.append(loss(joined(others, self.stored(position))), self.log_density(loss, others)(position))

    def advance(self, key: Any, loss: Loss, state: Any, others: Leaves, chains: int, *, refresh: bool) -> ChainState:
        """See `Block.advance`."""

        def of_chain(key: Any, own: Any, tuning: Any, row: Any, others: Leaves) -> Any:
            if refresh and self.exact:
                own = self._kernel.init(key, self.log_density(loss, others), position_of(own), tuning)
                row = None
            return self._transition(key, loss, others, own, tuning, row, state.transitions)

        keys = jax.random.split(key, self.chains) if self.chains > 1 else key[None]
        trees = (keys, state.kernel, state.tuning, state.losses, others)
        kernel, facts, row, broken = over_chains(of_chain, self.chains, *trees)
        return self._recorded(dataclasses.replace(state, losses=row), kernel, facts, broken)

    def _transition(
        self, key: Any, loss: Loss, others: Leaves, own: Any, tuning: Any, row: Any, count: Any
    ) -> tuple[Any, dict[str, Any], Any, Any]:
        """State, facts, losses of the new position (of the evaluation whose density the state holds), and whether a
        density was not a number.

        ``row`` are those of the old position, ``None`` if they are not known.  Kernels that evaluate the density in
        loops, or whose states do not hold it, tell nothing.
        """
        target = self.log_density(loss, others)
        step = lambda *arrays: self._kernel.step(arrays[0], target, *arrays[1:])  # noqa: E731
        (moved, facts), rows = with_marks(step, key, own, tuning, count)
        broken = ~jnp.isfinite(facts.get("acceptance_rate", jnp.zeros(())))
        for seen in rows:  # kernels reject such proposals; -inf is no mistake but a place without probability
            broken |= jnp.isnan(seen[-1])
        density = log_density_of(moved)
        if density is None or not rows:
            return moved, facts, jnp.zeros(0), broken
        found = jnp.full_like(rows[0], jnp.nan) if row is None else row
        for seen in rows:
            found = jnp.where(seen[-1] == density, seen, found)
        again = lambda: self._row(loss, others, position_of(moved)).astype(found.dtype)  # noqa: E731
        return moved, facts, jax.lax.cond(found[-1] == density, lambda: found, again), broken

    def _recorded(self, state: ChainState, kernel: Any, facts: dict[str, Any], broken: Any) -> ChainState:
        past = state.transitions >= self.plan.discard
        keeping = past & ((state.transitions + 1 - self.plan.discard) % self.plan.thin == 0)
        slot = state.kept % self.plan.keep

        def put(ring: Any, new: Any) -> Any:
            return ring.at[:, slot].set(jnp.where(keeping, new, ring[:, slot]))

        state = dataclasses.replace(state, kernel=kernel)

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

    def positions(self, state: Any) -> Leaves:
        """See `Block.positions`."""
        return self.stored(self._position(state))

    def _position(self, state: Any) -> Leaves:
        found: Leaves = position_of(state.kernel)
        return found

    def drawn(self, key: Any, state: Any, chains: int) -> Leaves:
        """See `Block.drawn`: where the chains are."""
        return self.positions(state)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class VariationalState:
    """A Gaussian approximation."""

    approximation: Any


class VariationalBlock(Block):
    """A Gaussian whose evidence lower bound is maximised."""

    exact = False

    def __init__(self, approximation: GaussianApproximation, draws: int, **block: Any) -> None:
        super().__init__(**block, chains=1)
        self.draws = draws
        self._approximation = approximation

    def empty(self, loss: Loss, parameters: Leaves) -> VariationalState:
        """See `Block.empty`."""
        return VariationalState(self._approximation.init(self.pick(parameters)))

    def advance(self, key: Any, loss: Loss, state: Any, others: Leaves, chains: int, *, refresh: bool) -> Any:
        """See `Block.advance`; of several chains of the others the mean loss counts."""

        def target(position: Leaves) -> Any:
            return mean_over_chains(lambda o: self.log_density(loss, o)(position), chains, others)

        return VariationalState(self._approximation.step(key, target, state.approximation))

    def positions(self, state: Any) -> Leaves:
        """See `Block.positions`: the mean."""
        return repeated(self.stored(self._position(state)), 1)

    def _position(self, state: Any) -> Leaves:
        found: Leaves = state.approximation.mu
        return found

    def drawn(self, key: Any, state: Any, chains: int) -> Leaves:
        """See `Block.drawn`."""
        return self.stored(self._approximation.sample(key, state.approximation, chains))


def joined(parameters: Leaves, *changes: Leaves) -> Leaves:
    """Trained leaves with some of them replaced."""
    found = dict(parameters)
    for change in changes:
        found.update({i: eqx.combine(own, found[i]) if i in found else own for i, own in change.items()})
    return found


def repeated(tree: Any, chains: int) -> Any:
    """The same for every chain."""
    return jax.tree_util.tree_map(lambda leaf: jnp.broadcast_to(leaf, (chains, *jnp.shape(leaf))), tree)


def over_chains(function: Callable[..., Any], chains: int, *trees: Any) -> Any:
    """``function`` of every chain; a single one is not vmapped, because matrix products of rank three are slower."""
    if chains > 1:
        return jax.vmap(function)(*trees)
    return jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf)[None], function(*first_chain(trees)))


def mean_over_chains(function: Callable[..., Any], chains: int, *trees: Any) -> Any:
    """The mean over chains of ``function``."""
    if chains > 1:
        return jax.tree_util.tree_map(lambda leaf: jnp.mean(leaf, axis=0), jax.vmap(function)(*trees))
    return function(*first_chain(trees))


def first_chain(tree: Any) -> Any:
    """What belongs to the first chain."""
    return jax.tree_util.tree_map(lambda leaf: leaf[0], tree)


def everyone(blocks: Sequence[Block], states: Sequence[Any], chains: int, key: Any = None) -> Leaves:
    """Values of all sampled leaves ``(chains, ...)``: point values, with a key draws."""
    found: Leaves = {}
    for number, (block, state) in enumerate(zip(blocks, states, strict=True)):
        if key is None:
            own = block.positions(state)
            if block.chains < chains:
                own = repeated(first_chain(own), chains)
        else:
            own = block.drawn(jax.random.fold_in(key, number), state, chains)
        found = joined(found, own)
    return found
