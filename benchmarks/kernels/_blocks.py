"""Loss and gradient block of points by block of points: only one block is in flight, whatever their number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._case import Kernel


def blocked(kernel: Kernel, count: int) -> Kernel:
    """The same loss as a mean over ``count`` blocks; the gradient of a block is added up before the next begins.

    Only for losses that are means over points and depend on no other data.  Reverse mode through a plain loop would
    keep the coefficients of all blocks, therefore the rule: the forward pass computes the gradient as well.
    """

    def accumulate(weights: Any, data: Mapping[str, Any]) -> tuple[Float[Array, ""], Any]:
        points = data["points"]

        def add(sums: Any, block: Array) -> tuple[Any, None]:
            return jax.tree_util.tree_map(jnp.add, sums, jax.value_and_grad(kernel)(weights, {"points": block})), None

        start = (jnp.zeros((), points.dtype), jax.tree_util.tree_map(jnp.zeros_like, weights))
        sums, _ = jax.lax.scan(add, start, points.reshape(count, -1, points.shape[1]))
        return jax.tree_util.tree_map(lambda total: total / count, sums)

    @jax.custom_vjp
    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        return accumulate(weights, data)[0]

    def backward(gradient: Any, cotangent: Float[Array, ""]) -> tuple[Any, None]:
        return jax.tree_util.tree_map(lambda part: part * cotangent, gradient), None

    loss.defvjp(accumulate, backward)
    return loss
