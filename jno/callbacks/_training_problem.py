"""A training problem as analysis callbacks see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax
from jaxtyping import PyTree

from jno.architectures import checked_mask
from jno.compiler import Program, check_own_domain, models_of, untracked
from jno.trace import Node
from jno.utils import Key as Key

Leaves: TypeAlias = dict[int, PyTree]
"""Some leaves of the modules by layer, ``None`` elsewhere."""

Modules: TypeAlias = dict[int, PyTree]
"""Modules by layer, complete or without the leaves that are looked at."""


@dataclasses.dataclass(frozen=True)
class TrainingProblem:
    """What one `solve` trains on.

    Attributes:
        program: the constraints, compiled.
        constraints: the same as the user wrote them.
        names: their labels.
        models: names of all models of the core by layer.
        frozen: modules by layer, without the trained leaves.
        selected: filters by layer of the trained leaves that are looked at; None: all of them.
    """

    program: Program
    constraints: tuple[Node, ...]
    names: tuple[str, ...]
    models: dict[int, str]
    frozen: Modules
    selected: Leaves | None

    def split(self, trainable: Leaves) -> tuple[Leaves, Modules]:
        """The trained leaves that are looked at, and the modules without them."""
        if self.selected is None:
            return trainable, self.frozen
        looked_at, fixed = {}, dict(self.frozen)
        for layer, leaves in trainable.items():
            looked_at[layer], remaining = eqx.partition(leaves, self.selected[layer])
            fixed[layer] = eqx.combine(remaining, self.frozen[layer])
        return looked_at, fixed

    def over(self, expressions: Sequence[Node], callback: str) -> Program:
        """Other expressions, compiled.

        Raises:
            ValueError: a model or a domain that is not in this core.
        """
        check_own_domain(expressions, self.constraints, self.program.domain, callback)
        program = self.program.over(expressions)
        unknown = [model.model_key for model in program.models if model.layer_id not in self.models]
        if unknown:
            raise ValueError(
                f"{callback}: this core does not contain {', '.join(map(repr, unknown))}, it knows "
                f"{list(self.models.values())}; give an expression of its models"
            )
        return program

    def modules(self, trainable: Leaves, program: Program) -> Modules:
        """Complete modules for another program; models that no constraint contains are as they are."""
        present = {model.layer_id: model.module for model in program.models}
        return {**present, **combined(trainable, self.frozen)}

    def positions(self, expressions: Sequence[Node] | None, callback: str) -> tuple[int, ...]:
        """Where some constraints stand; all for None.

        Raises:
            ValueError: an expression that is not a constraint of this core.
        """
        if expressions is None:
            return tuple(range(len(self.constraints)))
        position_of = {id(constraint): position for position, constraint in enumerate(self.constraints)}
        for expression in expressions:
            if id(expression) not in position_of:
                raise ValueError(
                    f"{callback}(constraints=...): {expression!r} was not found among the constraints of this core; "
                    f"give the same objects as jno.core([...]) got, which are {', '.join(self.names)}"
                )
        return tuple(position_of[id(expression)] for expression in expressions)


def combined(trained: Leaves, fixed: Modules) -> Modules:
    """Complete modules by layer."""
    return {**fixed, **{layer: eqx.combine(leaves, fixed[layer]) for layer, leaves in trained.items()}}


def problem_of(mask: object, begin: Mapping[str, Any]) -> TrainingProblem:
    """The problem from the keywords of `jno.utils.SolveBegin` and the user's mask.

    Raises:
        TypeError, ValueError: a mask that does not fit the models or selects nothing that is trained.
    """
    frozen, trainable = begin["frozen"], begin["trainable"]
    names = {m.layer_id: m.model_key for m in models_of([untracked(operation) for operation in begin["all_ops"]])}
    problem = TrainingProblem(
        program=begin["compiled_constraints_fn"],
        constraints=tuple(begin["constraint_exprs"]),
        names=tuple(begin["constraint_names"]),
        models=names,
        frozen=frozen,
        selected=None if mask is None else _filters(mask, combined(trainable, frozen), list(trainable), names),
    )
    if mask is not None and not jax.tree_util.tree_leaves(problem.split(trainable)[0]):
        raise ValueError(
            "mask= selects no parameter that is trained; give True where a trained leaf is to be looked at"
        )
    return problem


def _filters(mask: object, modules: Modules, trained: Sequence[int], names: dict[int, str]) -> Leaves:
    advice = "build it from jax.tree_util.tree_map(lambda _: True, crux.models)"
    if not isinstance(mask, dict):
        raise TypeError(f"mask= is a dict like crux.models, layer_id -> booleans, got {type(mask).__name__}; {advice}")
    missing = [names[layer] for layer in trained if layer not in mask]
    unknown = [layer for layer in mask if layer not in names]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has layers {unknown} that this core does not know"] if unknown else []
        raise ValueError(f"mask= must match crux.models, but it {' and '.join(parts)}; {advice}")
    filters = {}
    for layer in trained:
        nothing = not any(map(bool, jax.tree_util.tree_leaves(mask[layer])))
        filters[layer] = False if nothing else checked_mask(modules[layer], mask[layer], names[layer])
    return filters
