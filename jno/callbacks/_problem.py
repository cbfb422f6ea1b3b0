"""A training problem as analysis callbacks see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax

from jno.architectures import checked_mask
from jno.compiler import Program, check_own_domain, models_of, untracked
from jno.trace import Node


@dataclasses.dataclass(frozen=True)
class Problem:
    """What one `solve` trains on.

    Attributes:
        program: the constraints, compiled.
        constraints: the same as the user wrote them.
        names: their labels.
        models: names of all models of the core by layer.
        frozen: modules by layer, without the trained leaves.
        chosen: filters by layer of the trained leaves that are looked at; None: all of them.
    """

    program: Program
    constraints: tuple[Node, ...]
    names: tuple[str, ...]
    models: dict[int, str]
    frozen: dict[int, Any]
    chosen: dict[int, Any] | None

    def split(self, trainable: dict[int, Any]) -> tuple[dict[int, Any], dict[int, Any]]:
        """The trained leaves that are looked at, and the modules without them."""
        if self.chosen is None:
            return trainable, self.frozen
        looked_at, rest = {}, dict(self.frozen)
        for layer, own in trainable.items():
            looked_at[layer], others = eqx.partition(own, self.chosen[layer])
            rest[layer] = eqx.combine(others, self.frozen[layer])
        return looked_at, rest

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

    def modules(self, trainable: dict[int, Any], program: Program) -> dict[int, Any]:
        """Whole modules for another program; models that no constraint contains are as they are."""
        own = {model.layer_id: model.module for model in program.models}
        return {**own, **combined(trainable, self.frozen)}

    def positions(self, wanted: Sequence[Node] | None, callback: str) -> tuple[int, ...]:
        """Where some constraints stand; all for None.

        Raises:
            ValueError: an expression that is no constraint of this core.
        """
        if wanted is None:
            return tuple(range(len(self.constraints)))
        found = {id(constraint): position for position, constraint in enumerate(self.constraints)}
        for expression in wanted:
            if id(expression) not in found:
                raise ValueError(
                    f"{callback}(constraints=...): {expression!r} was not found among the constraints of this core; "
                    f"give the same objects as jno.core([...]) got, which are {', '.join(self.names)}"
                )
        return tuple(found[id(expression)] for expression in wanted)


def combined(trained: dict[int, Any], rest: dict[int, Any]) -> dict[int, Any]:
    """Whole modules by layer."""
    return {**rest, **{layer: eqx.combine(own, rest[layer]) for layer, own in trained.items()}}


def problem_of(mask: Any, begin: dict[str, Any]) -> Problem:
    """The problem from the keywords of `on_solve_begin` and the user's mask.

    Raises:
        TypeError, ValueError: a mask that does not fit the models or selects nothing that is trained.
    """
    frozen, trainable = begin["frozen"], begin["trainable"]
    names = {m.layer_id: m.model_key for m in models_of([untracked(operation) for operation in begin["all_ops"]])}
    problem = Problem(
        program=begin["compiled_constraints_fn"],
        constraints=tuple(begin["constraint_exprs"]),
        names=tuple(begin["constraint_names"]),
        models=names,
        frozen=frozen,
        chosen=None if mask is None else _filters(mask, combined(trainable, frozen), list(trainable), names),
    )
    if mask is not None and not jax.tree_util.tree_leaves(problem.split(trainable)[0]):
        raise ValueError(
            "mask= selects no parameter that is trained; give True where a trained leaf is to be looked at"
        )
    return problem


def _filters(mask: Any, modules: dict[int, Any], trained: Sequence[int], names: dict[int, str]) -> dict[int, Any]:
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
