"""How much an expression depends on each coordinate."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.compiler import bound_in_context
from jno.trace import Node, Placeholder, Variable

from ._analysis import Analysis, Fields
from ._compiled import Compiled
from ._figures import Figure, panels, series
from ._losses import Data
from ._training_problem import Key, Leaves, Modules, TrainingProblem


class InputSensitivity(Analysis[Compiled]):
    r"""Mean :math:`|\partial u/\partial x_i|` over the points, for every coordinate (and time) that ``u`` contains.

    Args:
        expr: an expression on points, such as the call of a network; for a vector the mean is over its components too.
        interval: epochs between two measurements.

    ``value`` is a dict with ``values`` (n,), in the order of `inputs`: that in which the variables appear in ``expr``.
    ``result`` has ``epochs`` (S,) and ``values`` (S, n).

    Attributes:
        inputs: names of the coordinates: ``x``, ``y``, ``z``, ``t``; with their tag where the points are of several.

    Raises:
        TypeError: ``expr`` is not an expression.
        ValueError: it contains no coordinate; ``interval`` is not an integer of at least 1.

    Example:
        >>> import jno, optax
        >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> sensitivity = jno.callbacks.input_sensitivity(p * x - y)
        >>> _ = jno.core([(p * x - y).mse]).solve(1, callbacks=[sensitivity])
        INFO: compiling
        INFO: epoch ...
        >>> sensitivity.inputs, sensitivity.value["values"].tolist()
        (('x', 'y'), [3.0, 1.0])
    """

    fields: ClassVar[tuple[str, ...]] = ("values",)

    def __init__(self, expr: object, interval: int = 100) -> None:
        if not isinstance(expr, Placeholder):
            raise TypeError(
                f"InputSensitivity takes an expression, such as net(x, y), got {type(expr).__name__}; "
                "call a network with variables first"
            )
        super().__init__(interval, expressions=[expr])
        coordinates = _coordinates(expr)
        if not coordinates:
            raise ValueError(f"InputSensitivity: {expr!r} contains no coordinate; give an expression on points")
        tags = {variable.tag for variable in coordinates if variable.axis == "spatial"}
        self.inputs = tuple(_name(variable, with_tag=len(tags) > 1) for variable in coordinates)

    def _tool(self, problem: TrainingProblem) -> Compiled:
        (expr,) = self._expressions
        assert isinstance(expr, Placeholder)
        program = problem.over([expr.d(variable) for variable in _coordinates(expr)], "InputSensitivity")

        def sensitivities(modules: Modules, data: Data, key: Array) -> Float[Array, " n"]:
            return jnp.stack([jnp.mean(jnp.abs(derivative)) for derivative in program(modules, data, key)])

        return Compiled(program, eqx.filter_jit(sensitivities))

    def _measure(self, tool: Compiled, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        return {"values": tool(problem, trainable, key)}

    def _draw(self, figure: Figure) -> None:
        (axis,) = panels(figure, 1)[0]
        names = [f"$\\partial/\\partial {name[0]}${name[1:]}" for name in self.inputs]
        series(axis, self.result["epochs"], self.result["values"], names)
        axis.set_ylabel("mean absolute derivative" if len(names) > 1 else f"mean absolute {names[0]}")


def _coordinates(expr: Node) -> list[Variable]:
    """The variables of single coordinates, copies of one counted once; components of normals are none."""
    variables: dict[tuple[object, ...], Variable] = {}
    for node in bound_in_context([expr]):
        if isinstance(node, Variable) and node.tag.partition("@")[0] not in node.domain.normal_tags:
            for column in _columns(node):
                variables.setdefault((column.tag, column.axis, column.dim), column)
    return list(variables.values())


def _columns(variable: Variable) -> list[Variable]:
    if variable.axis == "temporal":
        return [variable]
    start, stop = variable.dim
    stop = variable.domain.context[variable.tag].shape[-1] if stop is None else stop
    if stop == start + 1:
        return [variable]
    return [
        Variable(variable.tag, (column, column + 1), variable.domain, copy=variable.copy)
        for column in range(start, stop)
    ]


def _name(variable: Variable, with_tag: bool) -> str:
    if variable.axis == "temporal":
        return "t"
    return "xyz"[variable.dim[0]] + (f" ({variable.tag})" if with_tag else "")
