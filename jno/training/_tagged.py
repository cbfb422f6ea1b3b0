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

from jno.compiler import bind_equation

_MARK = "jno.losses"


def marked(losses: Any, density: Any) -> Any:
    """The density; losses ``(C,)`` and density are marked on the way as ``(C + 1,)``."""
    row = jnp.append(losses, density)  # in the wider dtype, for the density is searched for by its value
    checkpoint_name(jax.lax.stop_gradient(row), _MARK)
    return density


def with_marks(function: Callable[..., Any], *arguments: Any) -> tuple[Any, list[Any]]:
    """Result of a function of arrays, and the marked rows of evaluations that are not inside a loop or a branch."""
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    jaxpr, marks = closed.jaxpr, []
    values = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, jax.tree_util.tree_leaves(arguments), strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, jex.Literal) else values[variable]

    for equation in jaxpr.eqns:
        results = bind_equation(equation, [read(variable) for variable in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
        if equation.params.get("name") == _MARK:
            marks += results
    outputs = [read(variable) for variable in jaxpr.outvars]
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(shape), outputs), marks
