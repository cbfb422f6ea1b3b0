"""Objects that keep a state of their own, called inside a function that JAX traces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback


def is_traced(*trees: Any) -> bool:
    """Whether any of the values is known only when a traced function runs."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(trees))


def on_the_host(function: Callable[..., Any], shape: tuple[int, ...], *arguments: Any) -> Any:
    """An array that ``function`` gives whenever the traced function runs, in order; no gradient passes.

    A state that a traced call wrote would be a tracer, and stay what it was when the function was traced.
    """
    result = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    constants = jax.lax.stop_gradient(arguments)
    return io_callback(lambda *given: np.asarray(function(*given), result.dtype), result, *constants, ordered=True)
