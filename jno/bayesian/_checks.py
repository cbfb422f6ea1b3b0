"""Checks of the arguments of priors, initializers and diagnostics."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jno.trace import is_transformation


def require_count(function: str, least: int, **options: object) -> None:
    """Refuse anything but an integer of at least ``least``.

    Raises:
        ValueError: naming the option.
    """
    for name, value in options.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{function}({name}={value!r}): {name} must be an integer of at least {least}")


def require_number(function: str, *, zero: bool = False, **options: object) -> None:
    """Refuse anything but a positive number; ``zero``: zero is allowed.

    Raises:
        ValueError: naming the option.
    """
    allowed = "a number of at least 0" if zero else "a positive number"
    for name, value in options.items():
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
            raise ValueError(f"{function}({name}={value!r}): {name} must be {allowed}")


def require_flag(function: str, **options: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        TypeError: naming the option.
    """
    for name, value in options.items():
        if not isinstance(value, bool):
            raise TypeError(f"{function}({name}={value!r}): {name} must be True or False")


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
