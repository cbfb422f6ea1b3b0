"""Random weight factorisation: matrices as a scale of every row times a matrix."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import paramax
from jaxtyping import Array, Float, PyTree

from jno.lora import linear_layers
from jno.utils import Key


class FactorizedMatrix(paramax.AbstractUnwrappable[Array]):
    """The matrix ``diag(exp(log_scales)) direction`` in the place of a weight; both factors are trained.

    The product is formed when the parameters are used, once in a step, so that derivatives by coordinates see a plain
    matrix.

    Source: S. Wang, H. Wang, J. H. Seidman, P. Perdikaris, "Random weight factorization improves the training of
    continuous neural representations", 2022, arXiv:2210.01274.
    """

    log_scales: Float[Array, " m"]
    direction: Float[Array, "m n"]

    def unwrap(self) -> Float[Array, "m n"]:
        """The matrix."""
        return jnp.exp(self.log_scales)[:, None] * self.direction


def factorized(network: PyTree, mean: float, deviation: float, key: Key) -> PyTree:
    """The network with the weights of its linear layers factorised; it computes the same until it is trained.

    Args:
        network: an Equinox module.
        mean: of the logarithms of the scales.
        deviation: standard deviation of the logarithms of the scales.
        key: random key.

    Raises:
        ValueError: no linear layer.
    """
    kinds = linear_layers()
    nodes, structure = jax.tree_util.tree_flatten(network, is_leaf=lambda node: isinstance(node, kinds))
    places = [place for place, node in enumerate(nodes) if _has_matrix(node)]
    if not places:
        raise ValueError(
            f"embed(factorize=...): {type(network).__name__} has no linear layer of Equinox or foundax with a matrix"
        )
    for place, layer_key in zip(places, jax.random.split(key, len(places)), strict=True):
        nodes[place] = _with_factors(nodes[place], mean, deviation, layer_key)
    return jax.tree_util.tree_unflatten(structure, nodes)


def _has_matrix(node: Any) -> bool:
    if not isinstance(node, linear_layers()):
        return False
    weight: Any = node.weight  # type: ignore[attr-defined]
    return bool(eqx.is_inexact_array(weight)) and weight.ndim == 2


def _with_factors(layer: Any, mean: float, deviation: float, key: Key) -> Any:
    """A linear layer whose weight is a product that has the same value."""
    weight = layer.weight
    log_scales = mean + deviation * jax.random.normal(key, weight.shape[:1], weight.dtype)
    factors = FactorizedMatrix(log_scales, weight / jnp.exp(log_scales)[:, None])
    return eqx.tree_at(lambda layer: layer.weight, layer, factors)
