"""Reading values that a kernel computes on its way: the losses behind a log density.

A kernel sees a function that returns one number.  The losses that number was made of are marked inside it, and found
again in the jaxpr of the transition, so that the history costs no further evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.extend import core as jex
from jaxtyping import Array, Float, PyTree

from jno.utils import bind_equation, evaluate_jaxpr

_MARK = "jno.losses"

_Result = TypeVar("_Result")


def marked(losses: Float[Array, " C"], density: Float[Array, ""]) -> Float[Array, ""]:
    """The density; losses and density are marked on the way as one row ``(C + 1,)``."""
    row = jnp.append(losses, density)  # in the wider dtype, for the density is searched for by its value
    checkpoint_name(jax.lax.stop_gradient(row), _MARK)
    return density


def with_marks(function: Callable[..., _Result], *arguments: PyTree) -> tuple[_Result, list[Float[Array, " K"]]]:
    """Result of a function of arrays, and the marked rows of evaluations that are not inside a loop or a branch."""
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    marks: list[Any] = []

    def apply(equation: jex.JaxprEqn, read: Callable[[Any], Any]) -> list[Any]:
        results = bind_equation(equation, [read(variable) for variable in equation.invars])
        if equation.params.get("name") == _MARK:
            marks.extend(results)
        return results

    outputs = evaluate_jaxpr(
        closed.jaxpr, closed.consts, jax.tree_util.tree_leaves(arguments), apply, lambda array: array
    )
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(shape), outputs), marks
