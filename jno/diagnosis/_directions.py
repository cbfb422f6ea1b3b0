"""Random directions in the space of the weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


def random_direction(parameters: PyTree, number: int) -> PyTree:
    """Normally distributed numbers in the shape of the parameters, the same for one ``number``."""
    leaves, structure = jax.tree_util.tree_flatten(parameters)
    generator = np.random.default_rng(number)
    numbers = [jnp.asarray(generator.standard_normal(leaf.shape), leaf.dtype) for leaf in leaves]
    return jax.tree_util.tree_unflatten(structure, numbers)
