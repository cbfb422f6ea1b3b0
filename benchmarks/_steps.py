"""The bare loop: one jitted step (batch, loss, gradient, Adam) called from Python."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ._case import LEARNING_RATE

Loss = Callable[[Any, Mapping[Any, Any], Any], Any]
"""Loss of weights, the data of one batch and a random key."""


class BareLoop:
    """Adam on a loss.

    Args:
        loss: what is minimised.
        weights: where it starts; copied.
        data: arrays by name.
        per_sample: names of arrays with one row per sample.
        batch: rows drawn without replacement in every step, or ``None`` for all.
    """

    def __init__(
        self,
        loss: Loss,
        weights: Any,
        data: Mapping[Any, Any],
        per_sample: Collection[Any] = (),
        batch: int | None = None,
    ) -> None:
        self._optimizer = optax.adam(LEARNING_RATE)
        self._loss, self._data = loss, dict(data)
        self._per_sample, self._batch = frozenset(per_sample), batch
        weights = jax.tree_util.tree_map(jnp.array, weights)
        self._state = (weights, self._optimizer.init(weights), jax.random.PRNGKey(1))
        self._step = jax.jit(self._one, donate_argnums=0)

    def advance(self, count: int) -> None:
        """Finish ``count`` steps."""
        for _ in range(count):
            self._state, _ = self._step(self._state, self._data)
        jax.block_until_ready(self._state)

    def losses(self, count: int) -> list[float]:
        """Losses of the next ``count`` steps, each before its update."""
        found = []
        for _ in range(count):
            self._state, value = self._step(self._state, self._data)
            found.append(float(value))
        return found

    def temporary_bytes(self) -> int | None:
        """Memory the compiled step needs besides its arguments and results; ``None`` where JAX does not tell."""
        analysis = self._step.lower(self._state, self._data).compile().memory_analysis()
        return None if analysis is None else int(analysis.temp_size_in_bytes)

    def _one(self, state: Any, data: dict[Any, Any]) -> tuple[Any, Any]:
        weights, optimizer, key = state
        key, loss_key, batch_key = jax.random.split(key, 3)
        batch = self._select(data, batch_key)
        value, gradient = jax.value_and_grad(self._loss)(weights, batch, loss_key)
        updates, optimizer = self._optimizer.update(gradient, optimizer, weights)
        return (optax.apply_updates(weights, updates), optimizer, key), value

    def _select(self, data: dict[Any, Any], key: Any) -> dict[Any, Any]:
        if self._batch is None:
            return data
        samples = next(data[name].shape[0] for name in self._per_sample)
        rows = jnp.sort(jax.random.choice(key, samples, (self._batch,), replace=False))
        return {name: array[rows] if name in self._per_sample else array for name, array in data.items()}
