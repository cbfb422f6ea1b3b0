"""Phases of an epoch: gradient steps on some of the constraints, one phase after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from jno.compiler import Program, trained_models

from ._groups import OptimizerGroup
from ._objective import Objective
from ._options import Options, Substep
from ._parameter_block import ParameterBlock
from ._types import Leaves

_Tree = TypeVar("_Tree")

ObjectiveOf: TypeAlias = Callable[[Program], Objective]
"""From constraints to their objective, under the options of a call."""


@dataclasses.dataclass(frozen=True)
class Phase:
    """``steps`` gradient steps on the mean of some constraints.

    Each step updates the leaves of ``groups``, then makes one transition of every one of ``blocks``.
    """

    name: str
    constraints: tuple[int, ...]
    steps: int
    objective: Objective
    groups: tuple[OptimizerGroup, ...]
    blocks: tuple[ParameterBlock, ...] = ()

    def split(self, parameters: Leaves) -> tuple[Leaves, Leaves]:
        """Leaves of the models that the phase's optimizers train, without sampled ones, and all other leaves."""
        models = {group.layer_id for group in self.groups}
        trained = {i: leaves for i, leaves in parameters.items() if i in models}
        remaining = {i: leaves for i, leaves in parameters.items() if i not in models}
        for block in self.blocks:
            for i in models & block.selected.keys():
                sampled, trained[i] = eqx.partition(trained[i], block.selected[i])
                remaining[i] = eqx.combine(sampled, remaining[i]) if i in remaining else sampled
        return trained, remaining


@dataclasses.dataclass(frozen=True)
class Observed:
    """Constraints whose losses are only recorded."""

    objective: Objective
    constraints: tuple[int, ...]


def phases_of(
    program: Program,
    groups: Sequence[OptimizerGroup],
    blocks: Sequence[ParameterBlock],
    options: Options,
    objective_of: ObjectiveOf,
) -> tuple[Phase, ...]:
    """One phase on all constraints, or one per entry of `substeps`.

    Args:
        program: all constraints.
        groups: which optimizer updates which leaves.
        blocks: what is sampled.
        options: the options of the call.
        objective_of: makes the objective of a phase.

    Raises:
        ValueError: a substep whose constraints depend on no trained model; sampled leaves that several substeps reach.
    """
    if not options.substeps:
        constraints = tuple(range(len(program.roots)))
        return (Phase("", constraints, 1, objective_of(program), tuple(groups), tuple(blocks)),)
    phases = tuple(
        _phase(f"substep {number}", substep, program, groups, blocks, objective_of)
        for number, substep in enumerate(options.substeps)
    )
    for block in blocks:
        reached = [phase.name for phase in phases if block in phase.blocks]
        if len(reached) != 1:
            raise ValueError(
                f"{block.name} is sampled, so the constraints of exactly one substep must depend on it (others may "
                f"through .stop_gradient); found {', '.join(reached) or 'none'}"
            )
    return phases


def observed_outside(phase: Phase, program: Program, objective_of: ObjectiveOf) -> Observed | None:
    """The constraints that a phase leaves out, if there are any."""
    constraints = tuple(i for i in range(len(program.roots)) if i not in phase.constraints)
    return Observed(objective_of(program.part(constraints)), constraints) if constraints else None


def _phase(
    name: str,
    substep: Substep,
    program: Program,
    groups: Sequence[OptimizerGroup],
    blocks: Sequence[ParameterBlock],
    objective_of: ObjectiveOf,
) -> Phase:
    reached = {model.layer_id for model in trained_models([program.roots[i] for i in substep.constraints])}
    reached_groups = tuple(group for group in groups if group.layer_id in reached)
    reached_blocks = tuple(block for block in blocks if block.selected.keys() & reached)
    if not reached_groups and not reached_blocks:
        raise ValueError(
            f"{name} on the constraints {list(substep.constraints)} has nothing to train: they depend on no model "
            "with an optimizer, or only through .stop_gradient"
        )
    objective = objective_of(program.part(substep.constraints))
    return Phase(name, substep.constraints, substep.steps, objective, reached_groups, reached_blocks)


def initial_states(phases: Sequence[Phase], parameters: Leaves) -> list[list[PyTree]]:
    """Fresh optimizer states by phase and group, from one program: every operation alone would be compiled too."""

    def states(parameters: Leaves) -> list[list[PyTree]]:
        return [[group.transform.init(group.pick(parameters)) for group in phase.groups] for phase in phases]

    return jax.jit(states)(parameters)


def on_device(tree: _Tree) -> _Tree:
    """The pytree with all arrays on the device; NumPy's, which somebody may write to, are copied.

    Those of JAX stay: nobody can write to them, and no step reuses their memory.
    """

    def placed(leaf: ArrayLike) -> Array:
        # without a program for every shape; of NumPy's arrays `device_put` may take the memory
        return leaf if isinstance(leaf, jax.Array) else jax.device_put(np.array(leaf), may_alias=False)

    return jax.tree_util.tree_map(placed, tree)
