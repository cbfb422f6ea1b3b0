"""Vectors given by the user, component by component."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Shaped

from jno.trace import OPERAND, FunctionCall, Placeholder
from jno.utils import Kind

VECTOR = Kind(
    "a list of components, a vector expression or (for one variable) a number",
    lambda value: all(map(OPERAND.accepts, value if isinstance(value, list | tuple) else (value,))),
    TypeError,
)
"""A vector given by the user."""


def components(value: object, count: int, name: str) -> list[Any]:
    """``count`` components of a vector.

    Args:
        value: a list, tuple or 1-D array of them, a vector expression ``(N, count)``, or, for ``count == 1``,
            the component itself.
        count: how many there must be (one for each variable).
        name: what the vector is called in messages.

    Raises:
        TypeError: not a vector.
        ValueError: another number of components (for an expression: when compiled).
    """
    if isinstance(value, Placeholder):
        return [value] if count == 1 else [_component(value, i, count) for i in range(count)]
    if isinstance(value, np.ndarray | jax.Array) and value.ndim > 1:
        raise TypeError(f"{name} must be a list of components or a 1-D array, got an array of shape {value.shape}")
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray | jax.Array) and value.ndim == 1):
        parts = list(value)
    elif isinstance(value, int | float | complex | np.generic | np.ndarray | jax.Array):
        parts = [value]
    else:
        raise TypeError(
            f"{name} must be a list of components, a vector expression or (for one variable) a number, got "
            f"{type(value).__name__}"
        )
    if len(parts) != count:
        raise ValueError(f"{name} has {len(parts)} component(s) but {count} variable(s) were given; give one for each")
    return parts


def _component(value: Placeholder, index: int, count: int) -> FunctionCall:
    return FunctionCall(partial(take_component, index=index, count=count), [value], f"component[{index}]")


def take_component(x: Shaped[ArrayLike, ...], index: int, count: int) -> Shaped[jax.Array, ...]:
    """Column ``index`` of a vector with ``count`` components, kept as an axis of size one."""
    vector = jnp.asarray(x)
    if vector.ndim == 0 or vector.shape[-1] != count:
        raise ValueError(
            f"expected a vector with {count} components (..., {count}), got an array of shape {vector.shape}"
        )
    return vector[..., index : index + 1]
