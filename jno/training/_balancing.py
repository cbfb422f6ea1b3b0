"""Weights of losses that follow the losses: computed once an epoch, before its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from jno.compiler import Program, weights_key
from jno.trace import AdaptiveWeight

from ._batches import Draws
from ._objective import Objective

_SCALINGS = {
    "raw": lambda losses, eps: losses,
    "none": lambda losses, eps: losses,
    "minmax": lambda losses, eps: jnp.maximum((losses - losses.min()) / jnp.maximum(jnp.ptp(losses), eps), eps),
    "l2": lambda losses, eps: losses / jnp.maximum(jnp.linalg.norm(losses), eps),
}


class Balancing:
    """The groups of balanced losses of a problem; their state is a list with ``(weights, state of the rule)`` each.

    Args:
        groups: one weight of every group.
        program: the constraints, whose domain, window and graph the losses share.
        draws: how mini-batches lie in the data.
    """

    def __init__(self, groups: Sequence[AdaptiveWeight], program: Program, draws: Draws) -> None:
        self._groups = list(groups)
        self._objectives = [Objective(program.over(node.losses), draws, blocks=False) for node in groups]

    def init(self) -> list[tuple[Any, Any]]:
        """The state before the first epoch: all weights are one."""
        counts = [len(node.losses) for node in self._groups]
        rules = zip(self._groups, counts, strict=True)
        return [(jnp.ones(count), node.balanced.rule.init(count)) for node, count in rules]

    def step(self, states: Any, parameters: Any, fixed: Any, batch: Any, key: Any) -> list[tuple[Any, Any]]:
        """The state with the weights of an epoch whose batch this is."""
        known = {**batch, **self.entries(states)}
        new = []
        for node, objective, (_, state) in zip(self._groups, self._objectives, states, strict=True):
            losses = objective.losses(parameters, fixed, known, key)
            scaled = _SCALINGS[node.balanced.mode](jnp.maximum(losses, node.balanced.eps), node.balanced.eps)
            new.append(node.balanced.rule.step(state, scaled))
        return new

    def refreshed(self, states: Any) -> Any:
        """The state with what callbacks have measured by now."""
        pairs = zip(self._groups, states, strict=True)
        return [(weights, node.balanced.rule.refreshed(state)) for node, (weights, state) in pairs]

    def entries(self, states: Any) -> dict[tuple[str, str], Any]:
        """The weights as entries of a program's data."""
        return {weights_key(node): weights for node, (weights, _) in zip(self._groups, states, strict=True)}
