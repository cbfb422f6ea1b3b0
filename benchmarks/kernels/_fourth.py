"""Δ² of the tanh network in the plane by one pass, with **one** coefficient of order four: Δ² itself.

Order four enters a layer linearly, so its sum is carried and not its terms.  The lower orders are either derivatives
along four directions (Δ² = ⅔ (D_x⁴ + D_y⁴) + ⅙ (D_{x+y}⁴ + D_{x−y}⁴), fourteen coefficients) or the partial
derivatives that the chain rule of Δ² needs (∇, ∇∇ᵀ, ∇Δ, nine coefficients).
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp

Bilaplacian = Callable[[_mlp.Layers, Array], Array]
"""Δ² of the network's outputs (N, K) at points (N, 2)."""

_DIRECTIONS = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, -1.0))
_WEIGHTS = (2 / 3, 2 / 3, 1 / 6, 1 / 6)
_COUNT = len(_DIRECTIONS)


def directions(product: _mlp.Product) -> Bilaplacian:
    """Taylor coefficients along x, y, x + y and x − y."""

    def bilaplacian(layers: _mlp.Layers, points: Float[Array, "N 2"]) -> Float[Array, "N K"]:
        w, b = layers[0]
        slopes = list(jnp.asarray(_DIRECTIONS, w.dtype) @ w)
        return _finish(layers, product, _along_first([points @ w + b, *slopes]), _along)

    return bilaplacian


def partials(product: _mlp.Product) -> Bilaplacian:
    """Partial derivatives in the order x, y, xx, xy, yy, xΔ, yΔ, Δ²."""

    def bilaplacian(layers: _mlp.Layers, points: Float[Array, "N 2"]) -> Float[Array, "N K"]:
        w, b = layers[0]
        return _finish(layers, product, _partial_first([points @ w + b, *w]), _partial)

    return bilaplacian


def _finish(
    layers: _mlp.Layers,
    product: _mlp.Product,
    start: list[Array],
    activation: Callable[[list[Array]], list[Array]],
) -> Float[Array, "N K"]:
    """The output layer meets the last coefficient alone: nothing else is asked for."""
    return _mlp.hidden(layers, product, start, activation)[-1] @ layers[-1][0]


def _along_first(state: list[Array]) -> list[Array]:
    """After the first layer only slopes are non-zero: order k is the k-th derivative of tanh times slopeᵏ."""
    value, *slopes = state
    t, *derivatives = _mlp.tanh_derivatives(value, 4)
    orders = [[f * slope**order for slope in slopes] for order, f in enumerate(derivatives, start=1)]
    quartic = sum(weight * slope**4 for weight, slope in zip(_WEIGHTS, slopes, strict=True))
    return [t, *orders[0], *orders[1], *orders[2], derivatives[3] * quartic]


def _along(state: list[Array]) -> list[Array]:
    """Faà di Bruno's formula for every direction; its order four is summed with the weights."""
    value, *lower, total = state
    z1, z2, z3 = (lower[i : i + _COUNT] for i in range(0, 3 * _COUNT, _COUNT))
    t, f1, f2, f3, f4 = _mlp.tanh_derivatives(value, 4)
    triples = list(zip(z1, z2, z3, strict=True))
    second = [f1 * b + f2 * (a * a) for a, b, _ in triples]
    third = [f1 * c + a * (3 * f2 * b + f3 * (a * a)) for a, b, c in triples]
    weighted = list(zip(_WEIGHTS, triples, strict=True))
    quadratic = sum(weight * (4 * a * c + 3 * b * b) for weight, (a, b, c) in weighted)
    cubic = sum(weight * (a * a * b) for weight, (a, b, _) in weighted)
    quartic = sum(weight * (a * a) * (a * a) for weight, (a, _, _) in weighted)
    fourth = f1 * total + f2 * quadratic + 6 * f3 * cubic + f4 * quartic
    return [t, *(f1 * a for a in z1), *second, *third, fourth]


def _partial_first(state: list[Array]) -> list[Array]:
    """After the first layer only the gradient is non-zero."""
    value, x, y = state
    t, f1, f2, f3, f4 = _mlp.tanh_derivatives(value, 4)
    square = x * x + y * y
    return [t, f1 * x, f1 * y, f2 * x * x, f2 * x * y, f2 * y * y, f3 * (x * square), f3 * (y * square), f4 * square**2]


def _partial(state: list[Array]) -> list[Array]:
    """Chain rules of ∇, ∇∇ᵀ, ∇Δ and Δ²."""
    value, x, y, xx, xy, yy, xl, yl, total = state
    t, f1, f2, f3, f4 = _mlp.tanh_derivatives(value, 4)
    square, lap = x * x + y * y, xx + yy
    hx, hy = x * xx + y * xy, x * xy + y * yy
    quadratic = 4 * (x * xl + y * yl) + lap * lap + 2 * (xx * xx + 2 * xy * xy + yy * yy)
    cubic = 2 * square * lap + 4 * (x * hx + y * hy)
    return [
        t,
        f1 * x,
        f1 * y,
        f1 * xx + f2 * x * x,
        f1 * xy + f2 * x * y,
        f1 * yy + f2 * y * y,
        f1 * xl + f2 * (x * lap + 2 * hx) + f3 * x * square,
        f1 * yl + f2 * (y * lap + 2 * hy) + f3 * y * square,
        f1 * total + f2 * quadratic + f3 * cubic + f4 * square * square,
    ]


VARIANTS: dict[str, Bilaplacian] = {
    f"{name} {way}": family(product)
    for name, family in (("directions", directions), ("partials", partials))
    for way, product in _mlp.PRODUCTS.items()
}
