"""`Problem`: what all trials of a sweep have in common, as bytes that go into any thread or process."""

from __future__ import annotations

import dataclasses
import math
import pickle
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jno.compiler import untracked
from jno.domain import domain as Domain
from jno.trace import Node, choices_of, decided, flatten, unflatten
from jno.utils import dumps

from ._configure import Configured, Names, configure
from ._pruning import MedianRule, rung_losses
from ._quiet import quiet_trial
from ._trial import Outcome, Trial

Build = Callable[[Sequence[Any], Any, int], Any]
"""Makes a core of operations, a domain and a seed; pickled by name."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Runs trials of one problem; every trial starts from the weights and points of when the sweep began."""

    content: bytes

    @classmethod
    def of(
        cls,
        build: Build,
        operations: Sequence[Any],
        objective: Any,
        domain: Domain | None,
        names: Names,
        seed: int,
    ) -> Problem:
        """The problem of these operations.

        Args:
            build: makes cores.
            operations: constraints and trackers.
            objective: what is compared; ``None``: the mean of the constraints.
            domain: of the operations.
            names: how configurations belong to the operations.
            seed: of every trial.
        """
        roots = [*operations] if objective is None else [*operations, objective]
        return cls(dumps((build, flatten(roots), len(operations), domain, names, seed)))

    def run(self, trial: Trial, *, rule: MedianRule | None = None) -> Outcome:
        """Train a fresh copy with the configuration of a trial, and measure it.

        Args:
            trial: what to try.
            rule: gives the trial up when it is hopeless.
        """
        start = time.perf_counter()
        try:
            with quiet_trial():
                result = self._measured(trial, rule)
        except Exception as error:  # an error of a trial is its outcome: the sweep goes on
            result = {
                "objective": None,
                "error": f"{type(error).__name__}: {error}",
                "traceback": "".join(traceback.format_exception(error)),
            }
        return Outcome(number=trial.number, labels=trial.labels, seconds=time.perf_counter() - start, **result)

    def _measured(self, trial: Trial, rule: MedianRule | None) -> dict[str, Any]:
        build, records, count, domain, names, seed = pickle.loads(self.content)
        roots = unflatten(*records)
        configured = configure(roots[:count], trial.configuration, names, seed)
        crux = build(configured.operations, domain, seed)
        epochs = configured.options["epochs"]
        watch = [] if rule is None else [rule.watch(epochs, configured.weights)]
        crux.solve(callbacks=watch, **configured.options)
        log = crux.training_logs[-1]
        reason = str(log.get("stop_reason", ""))
        if reason.startswith("interrupted"):
            raise KeyboardInterrupt  # training itself ends quietly, the sweep must not
        if reason.startswith("non-finite"):
            raise FloatingPointError(f"training stopped: {reason}")
        objective = measure(crux, configured, roots[count] if len(roots) > count else None)
        return {
            "objective": objective,
            "pruned_at": watch[0].pruned_at if watch else None,
            "rungs": rung_losses(log["losses"], epochs, configured.weights),
        }


def measure(crux: Any, configured: Configured, objective: Any) -> float:
    """What trials are compared by: the mean of an expression, or of the constraints without their weights.

    Time-dependent problems are evaluated at all levels, Bayesian models at their last draw.

    Raises:
        FloatingPointError: it is not finite.
    """
    measured = configured.constraints if objective is None else [decided(objective, configured.choices)]
    values = crux.eval(measured, min_consecutive=None, samples="point")
    each = values if len(measured) > 1 else [values]
    mean = float(np.mean([np.mean(np.asarray(value)) for value in each]))
    if not math.isfinite(mean):
        raise FloatingPointError(f"the objective is {mean}")
    return mean


def checked_objective(objective: Any, operations: Sequence[Node]) -> Node | None:
    """The expression trials are compared by.

    Raises:
        ValueError: a choice that no constraint has.
        TypeError: it is no expression.
    """
    if objective is None:
        return None
    if not isinstance(objective, Node):
        raise TypeError(f"sweep(objective={objective!r}): objective must be an expression, such as a validation error")
    expression = untracked(objective)
    dimensions = {choice.dimension for choice in choices_of(operations)}
    for choice in choices_of([*operations, expression]):
        if choice.dimension not in dimensions:
            raise ValueError(f"the choice {choice.dimension!r} of objective= occurs in no constraint")
    return expression
