"""The norm of every constraint's gradient."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from ._analysis import Analysis, Fields
from ._figures import Figure, panels, series
from ._losses import Compute, gradients_of
from ._training_problem import Key, Leaves, TrainingProblem


class GradientNorms(Analysis[Compute]):
    r"""Norms :math:`\|\nabla_\theta L_i\|_2` of the gradients of all constraints.

    The gradients are those of the constraints as `jno.core` got them, so ``2.0 * loss`` counts twice; the weights of
    ``jno.fn.adaptive`` count as one. With respect to: the parameters as they are stored (before `Model.constrain`).

    Args:
        interval: epochs between two measurements.
        mask: booleans like ``crux.models``, the parameters looked at; default None: all that are trained.

    ``value`` is a dict with ``norms`` (N,) for ``N`` constraints, ``result`` has ``epochs`` (S,) and ``norms`` (S, N).

    Raises:
        ValueError: ``interval`` is no integer of at least 1; when training begins: a mask that does not fit.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> norms = jno.callbacks.gradient_norms()
        >>> _ = jno.core([(p + 0 * x).mse]).solve(1, callbacks=[norms])
        INFO: compiling
        INFO: epoch ...
        >>> float(norms.value["norms"][0])
        6.0

    Source: S. Wang, Y. Teng, P. Perdikaris, "Understanding and mitigating gradient flow pathologies in
    physics-informed neural networks", SIAM J. Sci. Comput. 43 (2021).
    """

    fields: ClassVar[tuple[str, ...]] = ("norms",)

    def __init__(self, interval: int = 100, mask: object = None) -> None:
        super().__init__(interval, mask)

    def _tool(self, problem: TrainingProblem) -> Compute:
        gradients = gradients_of(problem.program)
        return eqx.filter_jit(lambda *arguments: jnp.linalg.norm(gradients(*arguments), axis=1))

    def _measure(self, tool: Compute, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        return {"norms": tool(*problem.split(trainable), problem.program.data, key)}

    def _draw(self, figure: Figure) -> None:
        (axis,) = panels(figure, 1)[0]
        series(axis, self.result["epochs"], self.result["norms"], self._names)
        axis.set_ylabel("norm of the gradient")
