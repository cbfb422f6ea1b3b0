"""One training step, and many of them fused on the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.compiler import NotPointwiseError, PointBlocks, Program, blocks_for

from ._groups import OptimizerGroup
from ._residuals import Residuals

CHUNK = 1024
"""Most steps of one device call: the length of its loss buffer."""

_BATCH_STREAM = 0xBA7C


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything a step changes: trained leaves by model, optimizer states by group, the random key, the epoch."""

    parameters: dict[int, Any]
    optimizers: list[Any]
    key: Any
    epoch: Any


@dataclasses.dataclass(frozen=True)
class _Objective:
    """The loss of one group's leaves, and the residuals behind it for optimizers that need them."""

    place: Callable[[Any], dict[int, Any]]
    """All trained parameters with these leaves among them."""
    loss: Callable[[dict[int, Any]], Any]
    vector: Callable[[dict[int, Any]], Any]

    def __call__(self, leaves: Any) -> Any:
        return self.loss(self.place(leaves))

    def residuals(self, leaves: Any) -> Any:
        """The vector whose squares add up to the loss."""
        return self.vector(self.place(leaves))


class Step:
    """The compiled training step of one program.

    Args:
        program: the constraints.
        groups: who updates what.
        frozen: modules with the trained leaves removed (``None``), by model id; their arrays are inputs of the
            compiled function, not constants.
        batchsize: samples per step, or ``None`` for all.
    """

    def __init__(
        self,
        program: Program,
        groups: Sequence[OptimizerGroup],
        frozen: dict[int, Any],
        batchsize: int | None,
        stop_on_nonfinite: bool,
    ) -> None:
        self._program = program
        self._groups = list(groups)
        self._batchsize = batchsize
        self._blocks = blocks_for(program)
        self._residuals: Residuals | None = None
        self.stops_on_nonfinite = stop_on_nonfinite
        self.freeze(frozen)
        # Without the finite check nothing is ever replayed, so the old state's memory can be reused.
        donated = () if stop_on_nonfinite else (0,)
        self._run = jax.jit(self._many, donate_argnums=donated)

    def freeze(self, frozen: dict[int, Any]) -> None:
        """Take the current frozen arrays; the static rest must be the same as before."""
        self._frozen_arrays, self._static = eqx.partition(frozen, eqx.is_array)

    def temporary_bytes(self, state: TrainState) -> int | None:
        """Memory the compiled steps need besides their arguments and results, where the backend tells."""
        compiled = self._run.lower(state, self._frozen_arrays, self._program.data, jnp.int32(1)).compile()
        analysis = compiled.memory_analysis()
        return None if analysis is None else int(analysis.temp_size_in_bytes)

    def run(self, state: TrainState, count: int) -> tuple[TrainState, int, Any]:
        """Do up to ``count <= CHUNK`` steps.

        Returns:
            the new state, how many steps were finished (fewer when a loss was not finite), and the losses ``(m, C)``
            of these steps plus, after a stop, the row that was not finite.
        """
        state, done, losses = self._run(state, self._frozen_arrays, self._program.data, jnp.int32(count))
        finished = int(done)
        rows = finished if finished == count else finished + 1
        return state, finished, jax.device_get(losses)[:rows]

    def _many(self, state: TrainState, frozen: Any, data: Any, count: Any) -> tuple[TrainState, Any, Any]:
        constraints = len(self._program.roots)
        losses = jnp.zeros((CHUNK, constraints), dtype=jnp.result_type(float))

        def going(carry: tuple[Any, Any, Any, Any]) -> Any:
            _, done, _, finite = carry
            return (done < count) & finite

        def body(carry: tuple[Any, Any, Any, Any]) -> tuple[Any, Any, Any, Any]:
            state, done, losses, _ = carry
            new, row = self._one(state, frozen, data)
            finite = jnp.all(jnp.isfinite(row)) if self.stops_on_nonfinite else jnp.bool_(True)
            return new, done + finite, losses.at[done].set(row.astype(losses.dtype)), finite

        state, done, losses, _ = jax.lax.while_loop(going, body, (state, jnp.int32(0), losses, jnp.bool_(True)))
        return state, done, losses

    def _one(self, state: TrainState, frozen: Any, data: Any) -> tuple[TrainState, Any]:
        key, step_key = jax.random.split(state.key)
        batch = self._select(data, step_key)
        fixed = eqx.combine(frozen, self._static)

        def loss(parameters: dict[int, Any]) -> tuple[Any, Any]:
            modules = {**fixed, **{i: eqx.combine(p, fixed[i]) for i, p in parameters.items()}}
            values = self._program(modules, batch, step_key)
            losses = jnp.stack([jnp.mean(value) for value in values])
            return jnp.mean(losses), losses

        (total, losses), gradients = self._value_and_gradient(loss, state.parameters, fixed, batch, step_key)

        def total_of(parameters: dict[int, Any]) -> Any:
            return loss(parameters)[0]

        def residuals_of(parameters: dict[int, Any]) -> Any:
            return self._residual_vector(parameters, fixed, batch, step_key)

        parameters, optimizers = dict(state.parameters), []
        for group, optimizer in zip(self._groups, state.optimizers, strict=True):
            own, own_gradients = group.pick(state.parameters), group.pick(gradients)

            def with_own(leaves: Any, group: OptimizerGroup = group) -> dict[int, Any]:
                return {**state.parameters, group.layer_id: eqx.combine(leaves, state.parameters[group.layer_id])}

            objective = _Objective(with_own, total_of, residuals_of)
            updates, optimizer = group.transform.update(
                own_gradients,
                optimizer,
                own,
                value=total,
                grad=own_gradients,
                value_fn=objective,
                epoch=state.epoch,
                losses=losses,
            )
            moved = eqx.apply_updates(own, updates)
            parameters[group.layer_id] = eqx.combine(moved, parameters[group.layer_id])
            optimizers.append(optimizer)
        return TrainState(parameters, optimizers, key, state.epoch + 1), losses

    def _value_and_gradient(self, loss: Any, parameters: Any, fixed: Any, batch: Any, key: Any) -> Any:
        """``((total, losses), gradients)``; where the points come in blocks, summed over them."""
        if self._blocks is not None:
            try:
                return self._sum_over_blocks(self._blocks, parameters, fixed, batch, key)
            except NotPointwiseError:
                self._blocks = None
        return jax.value_and_grad(loss, has_aux=True)(parameters)

    def _sum_over_blocks(self, blocks: PointBlocks, parameters: Any, fixed: Any, batch: Any, key: Any) -> Any:
        blocked, rest = blocks.split(batch)

        def share(parameters: Any, block: Any) -> tuple[Any, Any]:
            number, own = block
            modules = {**fixed, **{i: eqx.combine(p, fixed[i]) for i, p in parameters.items()}}
            losses = blocks.losses(modules, {**rest, **own}, number, key).astype(jnp.result_type(float))
            return jnp.mean(losses), losses

        def add(sums: Any, block: Any) -> tuple[Any, None]:
            found = jax.value_and_grad(share, has_aux=True)(parameters, block)
            return jax.tree_util.tree_map(jnp.add, sums, found), None

        nothing = (jnp.zeros(()), jnp.zeros(len(self._program.roots)))
        zeros = (nothing, jax.tree_util.tree_map(jnp.zeros_like, parameters))
        return jax.lax.scan(add, zeros, (jnp.arange(blocks.count), blocked))[0]

    def _residual_vector(self, parameters: Any, fixed: Any, batch: Any, key: Any) -> Any:
        if self._residuals is None:
            self._residuals = Residuals(self._program)
        modules = {**fixed, **{i: eqx.combine(p, fixed[i]) for i, p in parameters.items()}}
        return self._residuals(modules, batch, key)

    def _select(self, data: Any, key: Any) -> Any:
        """A mini-batch: rows drawn without replacement and kept in order; everything without a batch size."""
        samples = self._program.layout.samples
        if self._batchsize in (None, samples) or not self._program.layout.batched:
            return data
        key = jax.random.fold_in(key, _BATCH_STREAM)
        rows = jnp.sort(jax.random.choice(key, samples, (self._batchsize,), replace=False))
        return {k: array[rows] if k in self._program.layout.batched else array for k, array in data.items()}
