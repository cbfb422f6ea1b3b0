"""Phases of an epoch: gradient steps on some of the constraints, one phase after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from jno.compiler import Program, trained_models

from ._groups import OptimizerGroup
from ._objective import Objective
from ._options import Options, Substep


@dataclasses.dataclass(frozen=True)
class Phase:
    """So many steps on the mean of some constraints; only ``groups`` are updated, with states of their own."""

    name: str
    constraints: tuple[int, ...]
    steps: int
    objective: Objective
    groups: tuple[OptimizerGroup, ...]

    def split(self, parameters: dict[int, Any]) -> tuple[dict[int, Any], dict[int, Any]]:
        """Leaves that this phase trains, and the other models' leaves."""
        own = {group.layer_id for group in self.groups}
        return {i: p for i, p in parameters.items() if i in own}, {i: p for i, p in parameters.items() if i not in own}


def phases_of(program: Program, groups: Sequence[OptimizerGroup], options: Options, **how: Any) -> tuple[Phase, ...]:
    """One phase on everything, or one per entry of `substeps`.

    Args:
        program: all constraints.
        groups: who updates what.
        options: the options of the call.
        how: keywords of `Objective`.

    Raises:
        ValueError: a substep whose constraints depend on no trained model.
    """
    if not options.substeps:
        everything = tuple(range(len(program.roots)))
        return (Phase("", everything, 1, Objective(program, **how), tuple(groups)),)
    return tuple(
        _phase(f"substep {number}", substep, program, groups, how) for number, substep in enumerate(options.substeps)
    )


def _phase(name: str, substep: Substep, program: Program, groups: Sequence[OptimizerGroup], how: Any) -> Phase:
    reached = {model.layer_id for model in trained_models([program.roots[i] for i in substep.constraints])}
    own = tuple(group for group in groups if group.layer_id in reached)
    if not own:
        raise ValueError(
            f"{name} on the constraints {list(substep.constraints)} has nothing to train: they depend on no model "
            "with an optimizer, or only through .stop_gradient"
        )
    return Phase(name, substep.constraints, substep.steps, Objective(program.part(substep.constraints), **how), own)


def initial_states(phases: Sequence[Phase], parameters: dict[int, Any]) -> list[list[Any]]:
    """Fresh optimizer states by phase and group."""
    return [[group.transform.init(group.pick(parameters)) for group in phase.groups] for phase in phases]


def copied(tree: Any) -> Any:
    """Arrays of their own: the step may reuse their memory."""
    return jax.tree_util.tree_map(lambda leaf: jax.numpy.array(leaf), tree)
