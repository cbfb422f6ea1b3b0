"""Reading values that a kernel computes on its way: the losses behind the log density it asked for.

A kernel sees a function that returns one number.  The losses that number was made of are marked inside it, and found
again in the jaxpr of the transition, so that the history costs no evaluation of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.extend import core as jex

from jno.utils import bind_equation, evaluate_jaxpr

_MARK = "jno.losses"


def marked(losses: Any, density: Any) -> Any:
    """The density; losses ``(C,)`` and density are marked on the way as ``(C + 1,)``."""
    row = jnp.append(losses, density)  # in the wider dtype, for the density is searched for by its value
    checkpoint_name(jax.lax.stop_gradient(row), _MARK)
    return density


def with_marks(function: Callable[..., Any], *arguments: Any) -> tuple[Any, list[Any]]:
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
