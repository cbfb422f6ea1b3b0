"""The losses of some constraints and their gradient, as pure functions of the trained leaves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.compiler import NotPointwiseError, PointBlocks, Program, blocks_for

from ._batches import Draws
from ._residuals import Residuals

_RECOMPUTED = jax.checkpoint_policies.dots_saveable
"""With `checkpoint_gradients` only matrix products are kept for the backward pass, everything else is recomputed."""


class Objective:
    """The mean over constraints of their losses.

    Args:
        program: the constraints.
        draws: how mini-batches lie in the data; several of them are averaged.
        checkpoint: save memory: constraints are differentiated one after the other, with activations recomputed.
        blocks: whether points may be taken block by block.
    """

    def __init__(self, program: Program, draws: Draws, *, checkpoint: bool = False, blocks: bool = True) -> None:
        self._program = program
        self._draws = draws
        self._checkpoint = checkpoint
        self._blocks = blocks_for(program) if blocks and not draws.repeated else None
        self._parts = [program.part([number]) for number in range(len(program.roots))] if checkpoint else []

    def losses(self, parameters: dict[int, Any], fixed: dict[int, Any], batch: Any, key: Any) -> Any:
        """Every constraint's mean ``(C,)``."""
        if not self._draws.repeated:
            return _means(self._program, parameters, fixed, batch, key)

        @jax.checkpoint
        def add(total: Any, draw: tuple[Any, Any]) -> tuple[Any, None]:
            number, own_key = draw
            own = self._draws.take(batch, number)
            return total + _means(self._program, parameters, fixed, own, own_key), None

        total, _ = jax.lax.scan(add, jnp.zeros(len(self._program.roots)), self._each(key))
        return total / self._draws.count

    def total(self, parameters: dict[int, Any], fixed: dict[int, Any], batch: Any, key: Any) -> Any:
        """The mean over constraints."""
        return jnp.mean(self.losses(parameters, fixed, batch, key))

    def value_and_gradient(self, parameters: dict[int, Any], fixed: dict[int, Any], batch: Any, key: Any) -> Any:
        """``((total, losses), gradients)``; of several mini-batches the mean."""
        if not self._draws.repeated:
            return self._of_one_batch(parameters, fixed, batch, key)

        def add(total: Any, draw: tuple[Any, Any]) -> tuple[Any, None]:
            number, own_key = draw
            found = self._of_one_batch(parameters, fixed, self._draws.take(batch, number), own_key)
            return jax.tree_util.tree_map(jnp.add, total, found), None

        total, _ = jax.lax.scan(add, self._nothing(parameters), self._each(key))
        return jax.tree_util.tree_map(lambda leaf: leaf / self._draws.count, total)

    def residuals(
        self, parameters: dict[int, Any], fixed: dict[int, Any], batch: Any, key: Any, terms: Any = None
    ) -> Any:
        """The vector whose squares add up to the total, or the part of it that belongs to these terms.

        Raises:
            ValueError: a constraint that is no mean square, or averaged mini-batches.
        """
        if self._draws.repeated:
            raise ValueError(
                "this optimizer needs the residuals of one batch: it cannot be used with accumulation_steps="
            )
        return self._residuals(modules(fixed, parameters), batch, key, terms)

    @functools.cached_property
    def _residuals(self) -> Residuals:
        return Residuals(self._program)

    # --- several mini-batches ---------------------------------------------------------------------------------
    def _each(self, key: Any) -> tuple[Any, Any]:
        """Number and key of every mini-batch."""
        return jnp.arange(self._draws.count), jax.random.split(key, self._draws.count)

    def _nothing(self, parameters: dict[int, Any]) -> Any:
        values = (jnp.zeros(()), jnp.zeros(len(self._program.roots)))
        return values, jax.tree_util.tree_map(jnp.zeros_like, parameters)

    # --- one mini-batch ---------------------------------------------------------------------------------------
    def _of_one_batch(self, parameters: Any, fixed: Any, batch: Any, key: Any) -> Any:
        if self._blocks is not None:
            try:
                return self._sum_over_blocks(self._blocks, parameters, fixed, batch, key)
            except NotPointwiseError:
                self._blocks = None
        if self._checkpoint:
            return self._one_after_the_other(parameters, fixed, batch, key)

        def loss(parameters: dict[int, Any]) -> tuple[Any, Any]:
            losses = _means(self._program, parameters, fixed, batch, key)
            return jnp.mean(losses), losses

        return jax.value_and_grad(loss, has_aux=True)(parameters)

    def _sum_over_blocks(self, blocks: PointBlocks, parameters: Any, fixed: Any, batch: Any, key: Any) -> Any:
        blocked, rest = blocks.split(batch)

        def share(parameters: Any, block: Any) -> tuple[Any, Any]:
            number, own = block
            losses = blocks.losses(modules(fixed, parameters), {**rest, **own}, number, key)
            losses = losses.astype(jnp.result_type(float))
            return jnp.mean(losses), losses

        kept = jax.checkpoint(share, policy=_RECOMPUTED) if self._checkpoint else share

        def add(sums: Any, block: Any) -> tuple[Any, None]:
            found = jax.value_and_grad(kept, has_aux=True)(parameters, block)
            return jax.tree_util.tree_map(jnp.add, sums, found), None

        return jax.lax.scan(add, self._nothing(parameters), (jnp.arange(blocks.count), blocked))[0]

    def _one_after_the_other(self, parameters: Any, fixed: Any, batch: Any, key: Any) -> Any:
        """A loop, because XLA would compute constraints that are written one after the other at the same time."""
        count = len(self._parts)

        def of(part: Program) -> Callable[[Any], Any]:
            mean = jax.checkpoint(lambda p: _means(part, p, fixed, batch, key)[0] / count, policy=_RECOMPUTED)
            return jax.value_and_grad(mean)

        branches = [of(part) for part in self._parts]

        def add(sums: Any, number: Any) -> tuple[Any, None]:
            (total, losses), gradients = sums
            value, gradient = jax.lax.switch(number, branches, parameters)
            values = (total + value, losses.at[number].set((value * count).astype(losses.dtype)))
            return (values, jax.tree_util.tree_map(jnp.add, gradients, gradient)), None

        return jax.lax.scan(add, self._nothing(parameters), jnp.arange(count))[0]


def modules(fixed: dict[int, Any], parameters: dict[int, Any]) -> dict[int, Any]:
    """Whole modules by model id."""
    return {**fixed, **{i: eqx.combine(own, fixed[i]) for i, own in parameters.items()}}


def _means(program: Program, parameters: Any, fixed: Any, batch: Any, key: Any) -> Any:
    values = program(modules(fixed, parameters), batch, key)
    return jnp.stack([jnp.mean(value) for value in values])
