"""Expressions of one analysis, compiled together with what is made of their values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from jno.compiler import Program

from ._training_problem import Key, Leaves, TrainingProblem


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A program beside that of the constraints, and a function of ``(modules, data, key)`` that evaluates it."""

    program: Program
    function: Callable[..., Any]

    def __call__(self, problem: TrainingProblem, trainable: Leaves, key: Key) -> Any:
        """The function with the present weights."""
        return self.function(problem.modules(trainable, self.program), self.program.data, key)
