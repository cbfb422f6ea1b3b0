"""What keeps the pairs of optax's L-BFGS to one loss each, where the loss changes from step to step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, PyTree

from ._search_end import SEARCHES, without_rise


def with_pairs_of_one_loss(
    transform: optax.GradientTransformationExtraArgs,
) -> optax.GradientTransformationExtraArgs:
    """The transform, whose L-BFGS (if it has one that ends with a line search) never mixes two losses.

    `optax.lbfgs` subtracts the gradients of two calls. Points, samples and weights may have changed between them; the
    search knows the gradient of the earlier loss where the step ended, so that the gradient that is remembered can
    be moved by the difference of both losses. A step that raises the loss is not taken, and the memory starts again.
    """

    def update(updates: PyTree, state: PyTree, params: PyTree | None = None, **extra_args: Any) -> tuple[Any, Any]:
        chained = isinstance(state, tuple)  # stages see to their own
        search = _only(state, SEARCHES) if chained else None
        memory = _only(state, (optax.ScaleByLBFGSState,)) if chained else None
        if memory is None or search is None or search.grad is None or extra_args.get("value") is None:
            return transform.update(updates, state, params, **extra_args)
        searched = (memory.count > 0) & jnp.isfinite(search.value)
        shifted = jax.tree_util.tree_map(
            lambda earlier, new, end: jnp.where(searched, earlier + (new - end), earlier),
            memory.updates,
            updates,
            search.grad,
        )
        state = _replaced(state, lambda old: old._replace(updates=shifted))
        step, new_state = transform.update(updates, state, params, **extra_args)
        end = _only(new_state, SEARCHES)
        assert end is not None  # the state before had one
        taken = without_rise(step, end.value, extra_args["value"])
        stays = _is_zero(taken) & ~_is_zero(step)
        fresh = _only(transform.init(params), (optax.ScaleByLBFGSState,))
        return taken, _replaced(new_state, lambda new: _where(stays, fresh, new))

    return optax.GradientTransformationExtraArgs(transform.init, update)


def _only(state: PyTree, kinds: tuple[type, ...]) -> Any:
    """The one part of a state that is of some kinds; None where there is none, or there are several."""
    parts = jax.tree_util.tree_leaves(state, is_leaf=lambda part: isinstance(part, kinds))
    matching = [part for part in parts if isinstance(part, kinds)]
    return matching[0] if len(matching) == 1 else None


def _replaced(state: PyTree, change: Callable[[Any], Any]) -> PyTree:
    def is_memory(part: object) -> bool:
        return isinstance(part, optax.ScaleByLBFGSState)

    return jax.tree_util.tree_map(lambda part: change(part) if is_memory(part) else part, state, is_leaf=is_memory)


def _is_zero(tree: PyTree) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(leaf == 0) for leaf in jax.tree_util.tree_leaves(tree)]))


def _where(condition: Bool[Array, ""], one: PyTree, other: PyTree) -> PyTree:
    return jax.tree_util.tree_map(lambda a, b: jnp.where(condition, a, b), one, other)
