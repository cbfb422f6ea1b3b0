"""The tanh network and its derivatives: by nested jvp, and by one pass of Taylor coefficients.

Layers are pairs ``(w, b)`` with ``w`` of shape ``(in, out)``.  Coefficients are the value, one first derivative per
coordinate, and **one** second-order coefficient: the sum of second derivatives over the coordinates named ``curved``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Layers = Sequence[tuple[Array, Array]]
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


def separate(layers: Layers, points: Float[Array, "N D"], curved: Sequence[int]) -> Coefficients:
    """One matrix product per coefficient and layer."""
    coefficients = _first_layer(layers[0], points, curved)
    for w, b in layers[1:-1]:
        value, firsts, total = coefficients
        coefficients = _tanh(value @ w + b, [slope @ w for slope in firsts], total @ w, curved)
    value, firsts, total = coefficients
    w, b = layers[-1]
    return value @ w + b, [slope @ w for slope in firsts], total @ w


def stacked(layers: Layers, points: Float[Array, "N D"], curved: Sequence[int]) -> Coefficients:
    """One matrix product per layer over all coefficients stacked along rows."""
    coefficients = _first_layer(layers[0], points, curved)
    for w, b in layers[1:-1]:
        value, firsts, total = _product(coefficients, w)
        coefficients = _tanh(value + b, firsts, total, curved)
    value, firsts, total = _product(coefficients, layers[-1][0])
    return value + layers[-1][1], firsts, total


def _product(coefficients: Coefficients, w: Float[Array, "F K"]) -> Coefficients:
    value, firsts, total = coefficients
    rows = jnp.concatenate([value, *firsts, total]) @ w
    count = value.shape[0]
    parts = [rows[i * count : (i + 1) * count] for i in range(len(firsts) + 2)]
    return parts[0], parts[1:-1], parts[-1]


def _first_layer(layer: tuple[Array, Array], points: Float[Array, "N D"], curved: Sequence[int]) -> Coefficients:
    """The input has unit slopes: the slopes of the first layer are rows of its matrix, the same at all points."""
    w, b = layer
    return _tanh(points @ w + b, list(w), None, curved)


def _tanh(value: Array, firsts: list[Array], total: Array | None, curved: Sequence[int]) -> Coefficients:
    """(tanh z)' = s z' and (tanh z)'' = s (z'' − 2 tanh z · z'²) with s = 1 − tanh²z."""
    result = jnp.tanh(value)
    slope = 1 - result * result
    squares = sum(firsts[axis] * firsts[axis] for axis in curved)
    bend = -2 * result * squares
    return result, [slope * part for part in firsts], slope * (bend if total is None else total + bend)


VARIANTS: dict[str, Taylor] = {"stacked": stacked, "separate": separate}
