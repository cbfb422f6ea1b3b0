"""One pass along many directions: all first derivatives in one array (N, D, F), one sum of second derivatives.

The direction axis comes after the axis of points: XLA on a CPU is slow at sums over a leading axis, and a list of 50
arrays takes long to compile.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp

ManyTaylor = Callable[[_mlp.Layers, Array], tuple[Array, Array, Array]]
"""Value (N, K), gradient (N, D, K), Laplacian (N, K) of layers and points."""


def rank_three(coefficients: list[Array], w: Float[Array, "F K"]) -> list[Array]:
    """One matrix product per coefficient, that of the first derivatives of rank three."""
    return [part @ w for part in coefficients]


def many(product: _mlp.Product) -> ManyTaylor:
    """The pass with one way to multiply."""

    def taylor(layers: _mlp.Layers, points: Float[Array, "N D"]) -> tuple[Array, Array, Array]:
        w, b = layers[0]
        start = _tanh([points @ w + b, w[None]])
        value, slopes, total = product(_mlp.hidden(layers, product, start, _tanh), layers[-1][0])
        return value + layers[-1][1], slopes, total

    return taylor


def _tanh(state: list[Array]) -> list[Array]:
    """As in `_mlp`; without a third coefficient the second derivatives are zero."""
    value, slopes, *total = state
    result = jnp.tanh(value)
    slope = 1 - result * result
    bend = -2 * result * jnp.sum(slopes * slopes, axis=1)
    return [result, slope[:, None] * slopes, slope * sum(total, start=bend)]


VARIANTS: dict[str, ManyTaylor] = {
    "stacked": many(_mlp.stacked),
    "separate": many(_mlp.separate),
    "rank three": many(rank_three),
}
