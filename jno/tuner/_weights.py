"""Weights of constraints that a trial chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jno.adaptive import Balancer, WeightSchedule
from jno.trace import AdaptiveWeight, Balanced, Placeholder

_LEAST_LOSS = 1e-12


@final
class ScheduledWeights(Balancer):
    """The weights of a schedule ``(epoch, losses) -> vector``; the state is the epoch."""

    def __init__(self, schedule: WeightSchedule) -> None:
        super().__init__()
        self._schedule = schedule

    def init(self, count: int) -> Int[Array, ""]:
        """Epoch 0."""
        return jnp.int32(0)

    def step(
        self, state: Int[Array, ""], losses: Float[Array | np.ndarray, " C"]
    ) -> tuple[Float[Array, " C"], Int[Array, ""]]:
        """The weights of this epoch.

        Raises:
            ValueError: the schedule gives another number of weights.
        """
        weights = self._schedule(state, losses)
        if weights.shape != losses.shape:
            raise ValueError(f"the schedule gives weights of shape {weights.shape} for {len(losses)} constraints")
        return weights.astype(losses.dtype), state + 1


def weighted(
    constraints: Sequence[Placeholder], weights: WeightSchedule | Callable[..., Any] | Sequence[float | int]
) -> list[Placeholder]:
    """The constraints times fixed weights, or those of a schedule; labels stay."""
    if not callable(weights):
        return [
            _labelled(constraint, float(w) * constraint) for constraint, w in zip(constraints, weights, strict=True)
        ]
    schedule = weights if isinstance(weights, WeightSchedule) else WeightSchedule(weights)
    balanced = Balanced(ScheduledWeights(schedule), "raw", _LEAST_LOSS)
    return [
        _labelled(constraint, AdaptiveWeight(tuple(constraints), balanced, index) * constraint)
        for index, constraint in enumerate(constraints)
    ]


def _labelled(source: Placeholder, node: Placeholder) -> Placeholder:
    node.metadata.label = source.metadata.label
    return node
