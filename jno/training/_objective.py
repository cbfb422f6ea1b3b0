"""The losses of some constraints and their gradient, as pure functions of the trained leaves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jno.compiler import NotPointwiseError, PointBlocks, Program, blocks_for
from jno.trace import Node

from ._batches import MiniBatches
from ._context import Gradients, StepContext
from ._residuals import Residuals
from ._types import Data, Leaves, Modules

_RECOMPUTED = jax.checkpoint_policies.dots_saveable
"""With `checkpoint_gradients` only matrix products are kept for the backward pass, everything else is recomputed."""


class Objective:
    """The mean over constraints of their losses.

    Args:
        program: the constraints.
        mini_batches: how mini-batches lie in the data; the losses of several are averaged.
        checkpoint: whether to save memory: constraints are differentiated one after the other, with activations
            recomputed.
        point_blocks: whether points may be taken block by block.
    """

    def __init__(
        self, program: Program, mini_batches: MiniBatches, *, checkpoint: bool = False, point_blocks: bool = True
    ) -> None:
        self._program = program
        self._mini_batches = mini_batches
        self._checkpoint = checkpoint
        self._point_blocks = (
            blocks_for(program, mini_batches.point_counts) if point_blocks and not mini_batches.repeated else None
        )
        self._parts = [program.part([number]) for number in range(len(program.roots))] if checkpoint else []

    def losses(self, parameters: Leaves, context: StepContext) -> Float[Array, " C"]:
        """Every constraint's mean; of several mini-batches their mean."""
        if not self._mini_batches.repeated:
            return _means(self._program, parameters, context)

        @jax.checkpoint
        def add(total: Float[Array, " C"], numbered: tuple[Int[Array, ""], Array]) -> tuple[Float[Array, " C"], None]:
            return total + _means(self._program, parameters, self._mini_batch(context, *numbered)), None

        total, _ = jax.lax.scan(add, jnp.zeros(len(self._program.roots)), self._numbers_and_keys(context))
        return total / self._mini_batches.count

    def total(self, parameters: Leaves, context: StepContext) -> Float[Array, ""]:
        """The mean over constraints."""
        return jnp.mean(self.losses(parameters, context))

    def gradients(self, parameters: Leaves, context: StepContext) -> Gradients:
        """The loss and its gradient; of several mini-batches the mean."""
        if not self._mini_batches.repeated:
            return self._of_one_batch(parameters, context)

        def add(sums: Gradients, numbered: tuple[Int[Array, ""], Array]) -> tuple[Gradients, None]:
            gradients = self._of_one_batch(parameters, self._mini_batch(context, *numbered))
            return jax.tree_util.tree_map(jnp.add, sums, gradients), None

        total, _ = jax.lax.scan(add, self._zeros(parameters), self._numbers_and_keys(context))
        return jax.tree_util.tree_map(lambda leaf: leaf / self._mini_batches.count, total)

    def residuals(
        self, parameters: Leaves, context: StepContext, terms: Sequence[int | Node] | None = None
    ) -> Float[Array, " R"]:
        """The vector whose squares add up to the total, or the part of it that belongs to these terms.

        Raises:
            ValueError: a constraint that is not a mean square, or averaged mini-batches.
        """
        self._check_one_batch()
        return self._residuals(context.modules(parameters), context.batch, context.key, terms)

    def jacobian(
        self,
        parameters_of: Callable[[Float[Array, " P"]], Leaves],
        vector: Float[Array, " P"],
        context: StepContext,
        terms: Sequence[int | Node] | None = None,
    ) -> Float[Array, "R P"]:
        """Derivatives of the residuals by a vector that the trained leaves are a function of.

        Raises:
            ValueError: see `residuals`.
        """
        self._check_one_batch()

        def modules_of(vector: Float[Array, " P"]) -> Modules:
            return context.modules(parameters_of(vector))

        return self._residuals.jacobian(modules_of, vector, context.batch, context.key, terms)

    def _check_one_batch(self) -> None:
        if self._mini_batches.repeated:
            raise ValueError(
                "this optimizer needs the residuals of one batch: it cannot be used with accumulation_steps="
            )

    @functools.cached_property
    def _residuals(self) -> Residuals:
        return Residuals(self._program)

    # --- several mini-batches ---------------------------------------------------------------------------------
    def _numbers_and_keys(self, context: StepContext) -> tuple[Int[Array, " b"], Array]:
        """Number and key of every mini-batch."""
        assert context.key is not None  # only exact log densities have none, and they take no mini-batches
        return jnp.arange(self._mini_batches.count), jax.random.split(context.key, self._mini_batches.count)

    def _mini_batch(self, context: StepContext, number: Int[Array, ""], key: Array) -> StepContext:
        batch = self._mini_batches.take(context.batch, number)
        return dataclasses.replace(context, batch=batch, key=key)

    def _zeros(self, parameters: Leaves) -> Gradients:
        losses = jnp.zeros(len(self._program.roots))
        return Gradients(jnp.zeros(()), losses, jax.tree_util.tree_map(jnp.zeros_like, parameters))

    # --- one mini-batch ---------------------------------------------------------------------------------------
    def _of_one_batch(self, parameters: Leaves, context: StepContext) -> Gradients:
        if self._point_blocks is not None:
            try:
                return self._sum_over_point_blocks(self._point_blocks, parameters, context)
            except NotPointwiseError:
                self._point_blocks = None
        if self._checkpoint:
            return self._one_after_the_other(parameters, context)
        return _gradients_of(lambda leaves: _means(self._program, leaves, context))(parameters)

    def _sum_over_point_blocks(self, blocks: PointBlocks, parameters: Leaves, context: StepContext) -> Gradients:
        in_blocks, shared = blocks.split(context.batch)

        def losses_of(parameters: Leaves, number: Int[Array, ""], block: Data) -> Float[Array, " C"]:
            losses = blocks.losses(context.modules(parameters), {**shared, **block}, number, context.key)
            return losses.astype(jnp.result_type(float))

        gradients_of = _gradients_of(losses_of, recomputed=self._checkpoint)

        def add(sums: Gradients, block: tuple[Int[Array, ""], Data]) -> tuple[Gradients, None]:
            return jax.tree_util.tree_map(jnp.add, sums, gradients_of(parameters, *block)), None

        numbered = (jnp.arange(blocks.count), in_blocks)
        return jax.lax.scan(add, self._zeros(parameters), numbered)[0]

    def _one_after_the_other(self, parameters: Leaves, context: StepContext) -> Gradients:
        """A loop, because XLA would compute constraints that are written one after the other at the same time."""
        count = len(self._parts)

        def of(part: Program) -> Callable[[Leaves], tuple[Float[Array, ""], Leaves]]:
            share = jax.checkpoint(lambda leaves: _means(part, leaves, context)[0] / count, policy=_RECOMPUTED)
            return jax.value_and_grad(share)

        branches = [of(part) for part in self._parts]

        def add(sums: Gradients, number: Int[Array, ""]) -> tuple[Gradients, None]:
            value, gradient = jax.lax.switch(number, branches, parameters)
            added = Gradients(
                total=sums.total + value,
                losses=sums.losses.at[number].set((value * count).astype(sums.losses.dtype)),
                leaves=jax.tree_util.tree_map(jnp.add, sums.leaves, gradient),
            )
            return added, None

        return jax.lax.scan(add, self._zeros(parameters), jnp.arange(count))[0]


def _gradients_of(
    losses_of: Callable[..., Float[Array, " C"]], *, recomputed: bool = False
) -> Callable[..., Gradients]:
    """The mean of losses, the losses, and the gradient of the mean with respect to the first argument."""

    def mean_and_losses(parameters: Leaves, *arguments: object) -> tuple[Float[Array, ""], Float[Array, " C"]]:
        losses = losses_of(parameters, *arguments)
        return jnp.mean(losses), losses

    function = jax.checkpoint(mean_and_losses, policy=_RECOMPUTED) if recomputed else mean_and_losses

    def gradients(parameters: Leaves, *arguments: object) -> Gradients:
        (total, losses), leaves = jax.value_and_grad(function, has_aux=True)(parameters, *arguments)
        return Gradients(total, losses, leaves)

    return gradients


def _means(program: Program, parameters: Leaves, context: StepContext) -> Float[Array, " C"]:
    values = program(context.modules(parameters), context.batch, context.key)
    return jnp.stack([jnp.mean(value) for value in values])
