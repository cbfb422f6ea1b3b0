"""Weights beside those of the networks, for tests of values: what is zero at first hides what it multiplies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

PERTURBATIONS = (0.0, 0.1)
"""A test is made with the weights as they are, and with others."""


def perturbed_weights(modules: Mapping[int, PyTree], size: float | Float[Array, ""]) -> dict[int, PyTree]:
    """Modules whose weights ``w`` differ by normal numbers of deviation ``size * (1 + |w|)``, always the same.

    Args:
        modules: by `Model.layer_id`.
        size: 0 leaves the weights as they are.
    """
    generator = np.random.default_rng(0)

    def beside(leaf: Any) -> Any:
        if not eqx.is_inexact_array(leaf):
            return leaf
        noise = generator.normal(size=leaf.shape).astype(np.float32)
        return leaf + (size * noise * (1.0 + jnp.abs(leaf))).astype(leaf.dtype)

    return {layer: jax.tree_util.tree_map(beside, module) for layer, module in modules.items()}
