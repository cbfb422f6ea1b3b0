"""Losses and their gradients as functions of the weights, compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Num

from jno.compiler import Program

from ._training_problem import Leaves, Modules, combined

Data: TypeAlias = dict[tuple[str, str], Any]
"""The arrays of a program's data."""


Compute: TypeAlias = Callable[..., Any]
"""A function of ``(looked_at, fixed, data, key)``: leaves and modules as `TrainingProblem.split` gives them."""


def gradients_of(program: Program) -> Callable[..., Num[Array, "C P"]]:
    """``(looked_at, fixed, data, key) -> (C, P)``: the gradient of every constraint's mean, flattened.

    Each constraint is differentiated alone, so that one that is not finite leaves the others as they are.
    """
    parts = [program.part([position]) for position in range(len(program.roots))]

    def gradients(looked_at: Leaves, fixed: Modules, data: Data, key: Array) -> Num[Array, "C P"]:
        weights, unravel = ravel_pytree(looked_at)

        def of(part: Program) -> Num[Array, " P"]:
            return jax.grad(lambda w: _means(part, unravel(w), fixed, data, key)[0])(weights)

        return jnp.stack([of(part) for part in parts])

    return eqx.filter_jit(gradients)


def total_of(program: Program, positions: Sequence[int] | None = None) -> Callable[..., Float[Array, ""]]:
    """``(looked_at, fixed, data, key) -> ()``: the mean over some constraints of their means, not compiled."""
    part = program if positions is None else program.part(positions)

    def total(looked_at: Leaves, fixed: Modules, data: Data, key: Array) -> Float[Array, ""]:
        return jnp.mean(_means(part, looked_at, fixed, data, key))

    return total


def unit_rows(gradients: Num[Array, "C P"]) -> Num[Array, "C P"]:
    """Gradients of norm one; zero stays zero."""
    # scaled to entries of at most one: in single precision the squares of entries below 1e-19 are zero
    largest = jnp.max(jnp.abs(gradients), axis=1, keepdims=True)
    # the barrier keeps XLA from squaring numerator and denominator apart
    scaled = jax.lax.optimization_barrier(gradients / jnp.where(largest > 0.0, largest, 1.0))
    norms = jnp.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / jnp.where(norms > 0.0, norms, 1.0)


def _means(program: Program, looked_at: Leaves, fixed: Modules, data: Data, key: Array) -> Float[Array, " C"]:
    return jnp.stack([jnp.mean(value) for value in program(combined(looked_at, fixed), data, key)])
