"""A whole sweep: from a space to the best trial."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

from jno.architectures import ArchSpace, plain_label
from jno.domain import domain as Domain
from jno.trace import Node, Tracker, dump_tree

from ._configure import Configured, Names, configure
from ._history import TuningHistory
from ._merged_space import check_space, merged_space
from ._problem import Build, Problem, checked_objective
from ._search import Resources, search
from ._strategies import strategy_of


@dataclasses.dataclass(frozen=True)
class SweepResult:
    """The trials of a sweep, and the best configuration with what its names mean."""

    history: TuningHistory
    configuration: dict[str, Any]
    space: ArchSpace
    names: Names

    def apply(self, operations: Sequence[Any], seed: int) -> Configured:
        """Put the best configuration into the user's own problem."""
        return configure(operations, self.configuration, self.names, seed)


def sweep(
    build: Build,
    operations: Sequence[Any],
    domain: Domain | None,
    seed: int,
    space: object,
    optimizer: object,
    budget: int | None,
    *,
    objective: Any,
    resources: Resources,
) -> SweepResult:
    """Search ``space`` over a problem; see ``core.sweep``.

    Args:
        build: makes a core of operations, a domain and a seed.
        operations: constraints and trackers as the user wrote them.
        domain: of the problem.
        seed: of every trial and of the search.
        space: the user's search space.
        optimizer: as `strategy_of` takes it.
        budget: number of trials.
        objective: expression trials are compared by, or ``None``.
        resources: where trials run and are kept.

    Raises:
        RuntimeError: every trial failed.
    """
    constraints = [operation for operation in operations if not isinstance(operation, Tracker)]
    if not constraints:
        raise ValueError("sweep() needs at least one constraint; this core was built with none")
    merged = merged_space(space, operations)
    check_space(merged, operations, len(constraints), prune=resources.prune)
    compared = checked_objective(objective, operations)
    names = Names.of(merged, operations)
    problem = Problem.of(build, operations, compared, domain, names, seed)
    strategy = strategy_of(merged, optimizer, budget, seed)
    description = {
        "space": merged.describe(),
        "optimizer": plain_label(optimizer),
        "budget": strategy.total,
        "seed": seed,
        "objective": "mean of the constraints" if compared is None else _text(compared),
        "prune": resources.prune,
        "constraints": [_text(constraint) for constraint in constraints],
    }
    history = search(problem.run, strategy, merged.labels, resources, description)
    return SweepResult(history, _best(history), merged, names)


def _text(expression: Node) -> str:
    """A short form of an expression, with the digest of its whole tree."""
    return f"{expression} #{hashlib.sha256(dump_tree(expression).encode()).hexdigest()[:12]}"


def _best(history: TuningHistory) -> dict[str, Any]:
    failed = history.failed
    if history.best_trial is None:
        earliest = failed[0]
        error = RuntimeError(
            f"every trial failed ({len(failed)} of {len(history)}); the first one with {earliest.error}"
        )
        if earliest.traceback is not None:
            error.add_note(f"traceback of trial {earliest.number}:\n{earliest.traceback}")
        raise error
    return history.best_trial.configuration
