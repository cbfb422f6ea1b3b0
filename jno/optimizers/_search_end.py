"""Where a line search ends: the loss and its gradient there, and whether the step may be taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, PyTree

SEARCHES = (optax.ScaleByZoomLinesearchState, optax.ScaleByBacktrackingLinesearchState)
"""States of the searches of optax that know the loss at their end, and its gradient where they were told to."""

_RISE = 1e-6
"""Share of the loss by which a step may raise it: what optax's search takes for equal (Hager and Zhang 2006)."""


class End(NamedTuple):
    """The loss that a step was searched with and its gradient, at the end of the step."""

    value: Any
    gradient: PyTree


def end_of_step(search: PyTree, parameters: PyTree, value_fn: Callable[[PyTree], Array]) -> End:
    """From the state of the search where it knows them, else evaluated.

    Args:
        search: the state of a line search.
        parameters: those at the end of the step.
        value_fn: the loss of the step.
    """
    if isinstance(search, SEARCHES) and search.grad is not None:
        return End(search.value, search.grad)
    return End(*jax.value_and_grad(value_fn)(parameters))


def without_rise(step: PyTree, end: ArrayLike, begin: ArrayLike) -> PyTree:
    """The step, or zero where it raises the loss from ``begin`` to ``end``, or to something that is not a number.

    A search that finds no sufficient decrease in its number of evaluations ends at the last place it has looked at.
    """
    falls = jnp.asarray(end) <= begin + _RISE * jnp.abs(jnp.asarray(begin))
    return jax.tree_util.tree_map(lambda leaf: jnp.where(falls, leaf, jnp.zeros_like(leaf)), step)
