"""The distribution of the residuals over the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from jno.trace import Node, WeightedMean
from jno.utils import checked

from ._analysis import CONSTRAINTS, Analysis, Fields
from ._compiled import Compiled
from ._figures import Figure, panels, series
from ._losses import Data
from ._training_problem import Key, Leaves, Modules, TrainingProblem


class ResidualStats(Analysis[Compiled]):
    """Mean, standard deviation, maximum and 99th percentile of the absolute residual of constraints, over the points.

    The residual of ``r.mse``, ``r.mae``, ``r.mean``, ``jno.fn.mse(u, v)`` and ``jno.fn.mae(u, v)`` is ``r`` and
    ``u - v``; a weight as in ``w * r.mse`` or ``r.mse / 2`` does not count. Of anything else it is the value of
    the constraint.

    Args:
        interval: epochs between two measurements.
        constraints: some of the expressions given to `jno.core`, the same objects; default None: all.

    ``value`` is a dict: ``means``, ``stds``, ``maxes``, ``p99``, each ``(n,)``, and ``indices`` (n,), the positions of
    the constraints. ``result`` has ``epochs`` (S,), the four statistics (S, n) and ``indices`` (n,).

    Raises:
        ValueError: ``interval`` is not an integer of at least 1; when training begins: an expression that is not found
            among the constraints.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> stats = jno.callbacks.residual_stats()
        >>> _ = jno.core([2.0 * (p * x).mse]).solve(1, callbacks=[stats])
        INFO: compiling
        INFO: epoch ...
        >>> float(stats.value["means"][0]), float(stats.value["maxes"][0])
        (1.5, 3.0)
    """

    fields: ClassVar[tuple[str, ...]] = ("means", "stds", "maxes", "p99", "indices")

    @checked(constraints=CONSTRAINTS)
    def __init__(self, interval: int = 100, constraints: Sequence[Node] | None = None) -> None:
        super().__init__(interval, expressions=constraints or ())
        self._all = constraints is None

    @property
    def result(self) -> dict[str, Any]:
        """The history: ``epochs`` (S,), the four statistics (S, n), and ``indices`` (n,)."""
        history = super().result
        return {**history, "indices": history["indices"][0] if len(history["epochs"]) else history["indices"]}

    def _tool(self, problem: TrainingProblem) -> Compiled:
        positions = problem.positions(None if self._all else self._expressions, "ResidualStats")
        program = problem.program.over([residual(problem.constraints[position]) for position in positions])

        def statistics(modules: Modules, data: Data, key: Array) -> dict[str, Shaped[Array, " n"]]:
            sizes = [jnp.abs(value).ravel() for value in program(modules, data, key)]
            return {
                "means": jnp.stack([jnp.mean(size) for size in sizes]),
                "stds": jnp.stack([jnp.std(size) for size in sizes]),
                "maxes": jnp.stack([jnp.max(size) for size in sizes]),
                "p99": jnp.stack([jnp.percentile(size, 99.0) for size in sizes]),
                "indices": jnp.array(positions),
            }

        return Compiled(program, eqx.filter_jit(statistics))

    def _measure(self, tool: Compiled, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        # on the data of training, whose points may have been replaced
        return tool.function(problem.modules(trainable, tool.program), problem.program.data, key)

    def _draw(self, figure: Figure) -> None:
        result = self.result
        names = [self._names[index] for index in result["indices"]]
        titles = {"means": "mean", "stds": "standard deviation", "p99": "99th percentile", "maxes": "maximum"}
        for axis, (field, title) in zip(panels(figure, 2, 2).ravel(), titles.items(), strict=True):
            series(axis, result["epochs"], result[field], names)
            axis.set_title(f"|residual|: {title}", fontsize="medium")


def residual(constraint: Node) -> Node:
    """The point-wise part of a constraint; the constraint itself where it is not a mean over points."""
    mean = WeightedMean.of(constraint)
    return constraint if mean is None else mean.residual
