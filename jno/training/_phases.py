"""Phases of an epoch: gradient steps on some of the constraints, one phase after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from jno.compiler import Program, trained_models

from ._chains import Block
from ._groups import OptimizerGroup
from ._objective import Objective
from ._options import Options, Substep


@dataclasses.dataclass(frozen=True)
class Phase:
    """So many steps on the mean of some constraints: updates of ``groups``, then transitions of ``blocks``."""

    name: str
    constraints: tuple[int, ...]
    steps: int
    objective: Objective
    groups: tuple[OptimizerGroup, ...]
    blocks: tuple[Block, ...] = ()

    def split(self, parameters: dict[int, Any]) -> tuple[dict[int, Any], dict[int, Any]]:
        """Leaves of the models that the phase's optimizers train, without sampled ones, and all other leaves."""
        own = {group.layer_id for group in self.groups}
        trained = {i: p for i, p in parameters.items() if i in own}
        rest = {i: p for i, p in parameters.items() if i not in own}
        for block in self.blocks:
            for i in own & block.selected.keys():
                sampled, trained[i] = eqx.partition(trained[i], block.selected[i])
                rest[i] = eqx.combine(sampled, rest[i]) if i in rest else sampled
        return trained, rest


def phases_of(
    program: Program, groups: Sequence[OptimizerGroup], sampled: Sequence[Block], options: Options, **how: Any
) -> tuple[Phase, ...]:
    """One phase on everything, or one per entry of `substeps`.

    Args:
        program: all constraints.
        groups: who updates what.
        sampled: what is sampled.
        options: the options of the call.
        how: keywords of `Objective`.

    Raises:
        ValueError: a substep whose constraints depend on no trained model; sampled leaves that several substeps reach.
    """
    if not options.substeps:
        everything = tuple(range(len(program.roots)))
        return (Phase("", everything, 1, Objective(program, **how), tuple(groups), tuple(sampled)),)
    phases = tuple(
        _phase(f"substep {number}", substep, program, groups, sampled, how)
        for number, substep in enumerate(options.substeps)
    )
    for block in sampled:
        reached = [phase.name for phase in phases if block in phase.blocks]
        if len(reached) != 1:
            raise ValueError(
                f"{block.name} is sampled, so the constraints of exactly one substep must depend on it (others may "
                f"through .stop_gradient); found {', '.join(reached) or 'none'}"
            )
    return phases


def _phase(
    name: str, substep: Substep, program: Program, groups: Sequence[OptimizerGroup], blocks: Sequence[Block], how: Any
) -> Phase:
    reached = {model.layer_id for model in trained_models([program.roots[i] for i in substep.constraints])}
    own = tuple(group for group in groups if group.layer_id in reached)
    sampled = tuple(block for block in blocks if block.selected.keys() & reached)
    if not own and not sampled:
        raise ValueError(
            f"{name} on the constraints {list(substep.constraints)} has nothing to train: they depend on no model "
            "with an optimizer, or only through .stop_gradient"
        )
    objective = Objective(program.part(substep.constraints), **how)
    return Phase(name, substep.constraints, substep.steps, objective, own, sampled)


def initial_states(phases: Sequence[Phase], parameters: dict[int, Any]) -> list[list[Any]]:
    """Fresh optimizer states by phase and group, from one program: every operation alone would be compiled too."""

    def states(parameters: dict[int, Any]) -> list[list[Any]]:
        return [[group.transform.init(group.pick(parameters)) for group in phase.groups] for phase in phases]

    return jax.jit(states)(parameters)


def copied(tree: Any) -> Any:
    """Arrays of their own: the step may reuse their memory."""

    def copy(leaf: Any) -> Any:
        # without a program for every shape; of NumPy's arrays `device_put` may take the memory
        return jax.device_put(np.array(leaf) if isinstance(leaf, np.ndarray) else leaf, may_alias=False)

    return jax.tree_util.tree_map(copy, tree)
