"""The interface of initializers that look at the log density, and what they share."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from ._checks import require_real
from ._kernels import Key, Target

FlatDensity: TypeAlias = Callable[[Float[Array, " D"]], Any]
"""The log density of a vector of parameters."""

Start: TypeAlias = tuple[PyTree, dict[str, Any]]
"""Positions with a leading axis of chains, and keywords for the kernel."""


class LogDensityInitializer(abc.ABC):
    """Chooses where Markov chains start, from the log density they will sample.

    Attributes:
        requires_logdensity: true; tells this kind of initializer from those that draw weights.
    """

    requires_logdensity: ClassVar[bool] = True

    @abc.abstractmethod
    def __call__(self, key: Key, logdensity: Target, position: PyTree, num_chains: int) -> Start:
        """Starting positions and keywords for the kernel.

        Args:
            key: random key.
            logdensity: log density of a position, up to a constant.
            position: pytree of floating-point arrays, ``None`` where a leaf is not sampled.
            num_chains: number of chains.

        Returns:
            a pytree like ``position`` with a leading axis of chains, and keyword arguments for the kernel, such as
            ``inverse_mass_matrix`` (d,) or (d, d) in the order of ``jax.flatten_util.ravel_pytree``.
        """


def flattened(
    name: str, logdensity: Target, position: PyTree
) -> tuple[Float[Array, " D"], FlatDensity, Callable[[Float[Array, " D"]], PyTree]]:
    """The position as a vector, the log density of vectors, and the way back to the pytree.

    Raises:
        TypeError: a leaf is not an array of real floating-point numbers.
        ValueError: there are no numbers.
    """
    require_real(name, position)
    flat, unravel = ravel_pytree(position)
    if not flat.size:
        raise ValueError(f"{name}: the position has no numbers to sample")
    return flat, lambda vector: logdensity(unravel(vector)), unravel


def stacked(unravel: Callable[[Float[Array, " D"]], PyTree], vectors: Float[Array, "K D"]) -> PyTree:
    """Vectors as a pytree with a leading axis of chains."""
    return jax.vmap(unravel)(vectors)


def require_start(name: str, density: FlatDensity, start: Float[Array, " D"]) -> None:
    """Refuse a starting position without a finite log density, before anything larger is compiled.

    Raises:
        ValueError: it is not finite.
    """
    value = jax.jit(density)(start)
    if not math.isfinite(value):
        raise ValueError(
            f"{name}: the log density at the starting position is {float(value)}; give initial weights (and data) for "
            "which loss and prior are finite"
        )


def require_finite(name: str, cure: str, *results: Float[Array, ...]) -> None:
    """Refuse results that are not finite.

    Raises:
        ValueError: some are not, saying ``cure``.
    """
    if not all(bool(jnp.isfinite(result).all()) for result in results):
        raise ValueError(f"{name} ended at positions that are not finite: {cure}")
