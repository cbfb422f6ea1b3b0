"""The tanh network and its derivatives: by nested jvp, and by one pass of Taylor coefficients.

Layers are pairs ``(w, b)`` with ``w`` of shape ``(in, out)``.  A pass carries a list of coefficients, the value first.
A linear layer acts on all of them alike (``separate`` or ``stacked``); how they meet tanh is what distinguishes the
passes: `second_order` here, `_many` for many directions, `_fourth` for order four.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Layers = Sequence[tuple[Array, Array]]
Product = Callable[[list[Array], Array], list[Array]]
"""Every coefficient times the matrix of a layer."""
Coefficients = tuple[Array, list[Array], Array]
"""Value (N, F), first derivatives D times (N, F), sum of second derivatives (N, F)."""
Taylor = Callable[[Layers, Array, Sequence[int]], Coefficients]


def layers_of(linears: Sequence[Any]) -> list[tuple[Array, Array]]:
    """Copies of the arrays of foundax ``Linear`` layers."""
    return [(jnp.array(linear.weight.T), jnp.array(linear.bias)) for linear in linears]


def mlp(layers: Layers, points: Float[Array, "N D"]) -> Float[Array, "N K"]:
    """The network."""
    value = points
    for w, b in layers[:-1]:
        value = jnp.tanh(value @ w + b)
    w, b = layers[-1]
    return value @ w + b


def first(function: Callable[[Array], Array], points: Float[Array, "N D"], axis: int) -> Float[Array, "N K"]:
    """Derivative along one coordinate by one jvp."""
    direction = jnp.zeros_like(points).at[:, axis].set(1)
    return jax.jvp(function, (points,), (direction,))[1]


def second(function: Callable[[Array], Array], points: Float[Array, "N D"], axis: int) -> Float[Array, "N K"]:
    """Second derivative along one coordinate by jvp of jvp."""
    return first(lambda inner: first(function, inner, axis), points, axis)


def laplacian(function: Callable[[Array], Array], points: Float[Array, "N D"]) -> Float[Array, "N K"]:
    """Sum of the second derivatives along all coordinates, one after the other."""
    return sum((second(function, points, axis) for axis in range(points.shape[1])), start=jnp.zeros(()))


def separate(coefficients: list[Array], w: Float[Array, "F K"]) -> list[Array]:
    """One matrix product of rank two per coefficient."""
    return [(part.reshape(-1, part.shape[-1]) @ w).reshape(*part.shape[:-1], w.shape[1]) for part in coefficients]


def stacked(coefficients: list[Array], w: Float[Array, "F K"]) -> list[Array]:
    """One matrix product over all coefficients stacked along rows."""
    rows = jnp.concatenate([part.reshape(-1, part.shape[-1]) for part in coefficients]) @ w
    parts, begin = [], 0
    for part in coefficients:
        count = part.size // part.shape[-1]
        parts.append(rows[begin : begin + count].reshape(*part.shape[:-1], w.shape[1]))
        begin += count
    return parts


PRODUCTS: dict[str, Product] = {"stacked": stacked, "separate": separate}


def hidden(
    layers: Layers, product: Product, state: list[Array], activation: Callable[[list[Array]], list[Array]]
) -> list[Array]:
    """Coefficients after the last hidden layer from those after the first."""
    for w, b in layers[1:-1]:
        value, *others = product(state, w)
        state = activation([value + b, *others])
    return state


def second_order(product: Product) -> Taylor:
    """First derivatives along all coordinates, and **one** sum of the second ones over those named ``curved``."""

    def taylor(layers: Layers, points: Float[Array, "N D"], curved: Sequence[int]) -> Coefficients:
        w, b = layers[0]
        # The input has unit slopes: those of the first layer are rows of its matrix, the same at all points.
        start = _tanh(points @ w + b, list(w), None, curved)
        state = hidden(layers, product, start, lambda parts: _tanh(parts[0], parts[1:-1], parts[-1], curved))
        w, b = layers[-1]
        value, *firsts, total = product(state, w)
        return value + b, firsts, total

    return taylor


def tanh_derivatives(value: Float[Array, "N F"], order: int) -> list[Float[Array, "N F"]]:
    """tanh and its derivatives, polynomials in t = tanh with s = 1 − t²: s, −2ts, s(6t² − 2), 8ts(2 − 3t²)."""
    t = jnp.tanh(value)
    square = t * t
    s = 1 - square
    polynomials = (t, s, -2 * t * s, s * (6 * square - 2), 8 * t * s * (2 - 3 * square))
    return list(polynomials[: order + 1])


def _tanh(value: Array, firsts: list[Array], total: Array | None, curved: Sequence[int]) -> list[Array]:
    """(tanh z)' = s z' and (tanh z)'' = s (z'' − 2 tanh z · z'²) with s = 1 − tanh²z."""
    result = jnp.tanh(value)
    slope = 1 - result * result
    squares = sum(firsts[axis] * firsts[axis] for axis in curved)
    bend = -2 * result * squares
    return [result, *(slope * part for part in firsts), slope * (bend if total is None else total + bend)]


VARIANTS: dict[str, Taylor] = {name: second_order(product) for name, product in PRODUCTS.items()}
