"""Weights of losses that follow the losses: computed once an epoch, before its steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import PyTree

from jno.compiler import Program, weights_key
from jno.trace import AdaptiveWeight

from ._batches import MiniBatches
from ._context import StepContext
from ._objective import Objective
from ._types import Carried, Data, Leaves

BalancerState: TypeAlias = tuple[Carried, PyTree]
"""The weights of a group of losses, and the state of the rule that sets them."""

_SCALINGS = {
    "raw": lambda losses, eps: losses,
    "none": lambda losses, eps: losses,
    "minmax": lambda losses, eps: jnp.maximum((losses - losses.min()) / jnp.maximum(jnp.ptp(losses), eps), eps),
    "l2": lambda losses, eps: losses / jnp.maximum(jnp.linalg.norm(losses), eps),
}


class Balancing:
    """The groups of balanced losses of a problem.

    Args:
        groups: one weight of every group.
        program: the constraints, whose domain, window and graph the losses share.
        mini_batches: how mini-batches lie in the data.
    """

    def __init__(self, groups: Sequence[AdaptiveWeight], program: Program, mini_batches: MiniBatches) -> None:
        self._groups = list(groups)
        self._objectives = [Objective(program.over(node.losses), mini_batches, point_blocks=False) for node in groups]

    def init(self) -> list[BalancerState]:
        """The state before the first epoch: all weights are one."""
        counts = [len(node.losses) for node in self._groups]
        rules = zip(self._groups, counts, strict=True)
        return [(jnp.ones(count), node.balanced.rule.init(count)) for node, count in rules]

    def step(self, states: Sequence[BalancerState], parameters: Leaves, context: StepContext) -> list[BalancerState]:
        """The state with the weights of an epoch whose batch this is."""
        context = dataclasses.replace(context, batch={**context.batch, **self.entries(states)})
        new = []
        for node, objective, (_, state) in zip(self._groups, self._objectives, states, strict=True):
            losses = objective.losses(parameters, context)
            scaled = _SCALINGS[node.balanced.mode](jnp.maximum(losses, node.balanced.eps), node.balanced.eps)
            new.append(node.balanced.rule.step(state, scaled))
        return new

    def refreshed(self, states: Sequence[BalancerState]) -> list[BalancerState]:
        """The state with what callbacks have measured by now."""
        pairs = zip(self._groups, states, strict=True)
        return [(weights, node.balanced.rule.refreshed(state)) for node, (weights, state) in pairs]

    def entries(self, states: Sequence[BalancerState]) -> Data:
        """The weights as entries of a program's data."""
        return {weights_key(node): weights for node, (weights, _) in zip(self._groups, states, strict=True)}
