"""What callbacks that look at the gradients of the constraints have in common."""

from __future__ import annotations

import abc

import equinox as eqx
from jaxtyping import Array, Float, Num, PyTree

from jno.utils import SharedDocumentation

from ._analysis import Analysis, Fields
from ._losses import Compute, gradients_of
from ._training_problem import Key, Leaves, TrainingProblem

documented = SharedDocumentation(
    {
        "interval": "epochs between two measurements (default 100).",
        "mask": "booleans like ``crux.models``, the parameters looked at; default None: all that are trained.",
    },
    raises={
        "ValueError": "``interval`` is not an integer of at least 1; when training begins: a mask that does not fit."
    },
)
"""What the docstrings of the subclasses have in common."""


class GradientAnalysis(Analysis[Compute], abc.ABC):
    """Measures one function of the gradients of all constraints, its only field."""

    def __init__(self, interval: int = 100, mask: object = None) -> None:
        super().__init__(interval, mask)

    @abc.abstractmethod
    def _of_gradients(self, gradients: Num[Array, "C P"]) -> Float[Array, ...]:
        """What is measured, from the gradients of the constraints' means; pure."""

    def _tool(self, problem: TrainingProblem) -> Compute:
        gradients = gradients_of(problem.program)

        def measured(*arguments: PyTree) -> Float[Array, ...]:
            return self._of_gradients(gradients(*arguments))

        return eqx.filter_jit(measured)

    def _measure(self, tool: Compute, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        (field,) = self.fields
        return {field: tool(*problem.split(trainable), problem.program.data, key)}
