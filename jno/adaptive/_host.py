"""Objects that keep their state themselves, called inside a function that JAX traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, ArrayLike, PyTree


def is_traced(*trees: PyTree) -> bool:
    """Whether any of the values is known only when a traced function runs."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(trees))


def on_the_host(
    function: Callable[..., ArrayLike | Sequence[ArrayLike]], shape: tuple[int, ...], *arguments: PyTree
) -> Array:
    """An array that ``function`` gives whenever the traced function runs, in order; no gradient passes.

    A state that a traced call wrote would be a tracer, and stay what it was when the function was traced.
    """
    result = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    constants = jax.lax.stop_gradient(arguments)
    return io_callback(lambda *values: np.asarray(function(*values), result.dtype), result, *constants, ordered=True)
