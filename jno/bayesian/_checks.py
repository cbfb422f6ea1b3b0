"""Checks of the arguments of priors, initializers and diagnostics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jno.trace import is_transformation


def require_optimizer(function: str, **options: object) -> None:
    """Refuse what is neither an optax transform (an object with its methods ``init`` and ``update``) nor ``None``.

    Raises:
        TypeError: naming the option.
    """
    for name, value in options.items():
        if value is not None and not is_transformation(value):
            raise TypeError(
                f"{function}({name}={value!r}): expected an optax transform with its learning rate, such as "
                "optax.adam(1e-2)"
            )


def require_real(function: str, parameters: PyTree) -> None:
    """Refuse a pytree with leaves that are not arrays of real floating-point numbers.

    Raises:
        TypeError: naming the leaf.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(parameters):
        array = isinstance(leaf, jax.Array | np.ndarray | np.generic)
        if not array or not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(
                f"{function}: parameters are real floating-point arrays, the leaf "
                f"{jax.tree_util.keystr(path) or 'given'} is {leaf.dtype if array else type(leaf).__name__}; put None "
                "where a leaf is not sampled, as equinox.filter does"
            )
