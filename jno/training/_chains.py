"""States of sampled leaves, and pytrees with a leading axis of chains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from ._types import Carried, Leaves

_Result = TypeVar("_Result")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ChainState:
    """Markov chains of one parameter block.

    Arrays have a leading axis of chains, those of ``draws`` and ``facts`` then one of draws.  Files of `jno.save` hold
    these fields by name.
    """

    kernel: PyTree
    losses: Carried
    """Losses of all constraints and the log density, as the kernel has computed them; empty if it does not tell."""
    tuning: dict[str, Carried]
    draws: Leaves
    """A ring: draw number ``n`` lies at ``n % keep``."""
    facts: dict[str, Carried]
    divergent: Carried
    """Divergent transitions after the warm-up."""
    broken: Carried
    """Transitions after the warm-up that met a log density or acceptance rate that is not a number."""
    transitions: Carried
    kept: Carried
    """Number of draws so far, those that newer ones have overwritten included."""
    started: Carried


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class VariationalState:
    """A Gaussian approximation."""

    approximation: PyTree


def joined(parameters: Leaves, *changes: Leaves) -> Leaves:
    """Trained leaves with some of them replaced."""
    result = dict(parameters)
    for change in changes:
        result.update({i: eqx.combine(leaves, result[i]) if i in result else leaves for i, leaves in change.items()})
    return result


def repeated(tree: PyTree, chains: int) -> PyTree:
    """The same for every chain."""
    return jax.tree_util.tree_map(lambda leaf: jnp.broadcast_to(leaf, (chains, *jnp.shape(leaf))), tree)


def first_chain(tree: PyTree) -> Any:
    """What belongs to the first chain."""
    return jax.tree_util.tree_map(lambda leaf: leaf[0], tree)


def over_chains(function: Callable[..., _Result], chains: int, *trees: PyTree) -> _Result:
    """``function`` of every chain; a single one is not vmapped, because matrix products of rank three are slower."""
    if chains > 1:
        return jax.vmap(function)(*trees)
    alone = function(*first_chain(trees))
    return jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf)[None], alone)


def mean_over_chains(function: Callable[..., _Result], chains: int, *trees: PyTree) -> _Result:
    """The mean over chains of ``function``."""
    if chains > 1:
        return jax.tree_util.tree_map(lambda leaf: jnp.mean(leaf, axis=0), jax.vmap(function)(*trees))
    return function(*first_chain(trees))
