"""What a statement needs of JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FUNCTIONS: Any = SimpleNamespace(
    sin=jnp.sin,
    cos=jnp.cos,
    tanh=jnp.tanh,
    exp=jnp.exp,
    sqrt=jnp.sqrt,
    asinh=jnp.arcsinh,
    erfc=jax.scipy.special.erfc,
)


def derivatives(function: Callable[[Any], Any], x: Float[Array, " D"]) -> Callable[..., Any]:
    """Of a function from a point (D,) to a value (1,), at one point, by nested reverse mode."""

    def scalar(at: Any) -> Any:
        return function(at)[0]

    def slope(inner: Callable[[Any], Any], axis: int, at: Any) -> Any:
        return jax.grad(inner)(at)[axis]

    def derivative(*axes: int) -> Any:
        return reduce(lambda inner, axis: partial(slope, inner, axis), axes, scalar)(x)[None]

    return derivative
