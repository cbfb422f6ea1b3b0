"""Point-wise directional derivatives in the mode a scheme string names: forward, reverse, compositions of both.

What no scheme forces is planned and computed in passes (`_passes.py`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from jno.trace import Node, Variable, is_normal, point_tag

from ._scope import Scope
from ._value import Value

Evaluate = Callable[[Scope], Value]


@dataclasses.dataclass(frozen=True)
class Direction:
    """A unit direction in the coordinates of one tag: a column, the outward normal, or time."""

    tag: str
    temporal: bool
    column: int | None
    normal_tag: str | None = None
    variable: Variable | None = dataclasses.field(default=None, compare=False)
    """One that asks for this direction."""

    def __str__(self) -> str:
        if self.temporal or (self.variable is not None and self.variable.axis == "temporal"):
            return "t"
        if self.normal_tag is not None:
            return "n"
        return "xyz"[self.column] if self.column is not None and self.column < 3 else f"[{self.column}]"

    def tangent(self, scope: Scope) -> Shaped[Array | np.ndarray, ...]:
        """Tangent of the tag's coordinates; of one row, known in advance, where it is the same at all points."""
        coordinates = self.coordinates(scope)
        if self.normal_tag is not None:
            normals = scope.bindings.points[self.normal_tag].astype(coordinates.dtype)
            # where the points have times, nothing moves in time
            at_rest = coordinates.shape[1] - normals.shape[1]
            return jnp.broadcast_to(jnp.pad(normals, ((0, 0), (0, at_rest))), coordinates.shape)
        tangent = np.zeros((1, coordinates.shape[1]), dtype=coordinates.dtype)
        tangent[:, 0 if self.temporal else self.column] = 1
        return tangent

    def coordinates(self, scope: Scope) -> Shaped[Array, "N D"]:
        """Current coordinates: ``(N, D)`` points or the ``(1, 1)`` time."""
        bound: Array = (scope.bindings.times if self.temporal else scope.bindings.points)[self.tag]
        return bound

    def rebind(self, scope: Scope, coordinates: Shaped[Array, "N D"]) -> Scope:
        """The scope with coordinates of this tag that a derivative is taken at."""
        table = {self.tag: coordinates}
        points, times = ({}, table) if self.temporal else (table, {})
        return scope.rebind(points=points, times=times, derives=True)


def direction_of(variable: Variable) -> Direction:
    """Direction a derivative with respect to ``variable`` takes."""
    if not variable.at_points:
        return Direction(variable.tag, True, None, variable=variable)
    if is_normal(variable):
        if variable.dim[0] != 0 or variable.size != variable.domain.dimension:
            raise ValueError(
                f"u.d({variable!r}): a normal derivative needs the whole normal vector, "
                "n = domain.variable(tag, normals=True), not one of its components"
            )
        return Direction(point_tag(variable), False, None, variable.tag, variable)
    if variable.dim[1] is None or variable.size != 1:
        raise ValueError(f"u.d({variable!r}): differentiate with respect to one column at a time")
    return Direction(variable.tag, False, variable.dim[0], variable=variable)


def target_of(node: Node, target: Node, direction: Direction, scope: Scope) -> Evaluate | None:
    """How to evaluate a derivative's target, or ``None`` when it is constant in the direction.

    Raises:
        ValueError: the target lives on the points of other tags only.
    """
    tags = scope.setting.graph.tags(target)
    if direction.tag in tags:
        return lambda inner: inner.value(target)
    table, noun = (scope.bindings.times, "time") if direction.temporal else (scope.bindings.points, "points")
    elsewhere = sorted(tag for tag in tags if tag in table)
    if elsewhere:
        raise ValueError(
            f"the expression depends on the {noun} of {elsewhere} but is differentiated with respect to "
            f"{direction.tag!r}; use the variables it was built with"
        )
    return None


def derivative(evaluate: Evaluate, direction: Direction, mode: str) -> Evaluate:
    """The point-wise derivative of ``evaluate`` along ``direction`` as another function of the scope."""
    return _ENGINES[mode](evaluate, direction)


def _forward(evaluate: Evaluate, direction: Direction) -> Evaluate:
    def differentiated(scope: Scope) -> Value:
        def along(coordinates: Shaped[Array, "N D"]) -> Value:
            return evaluate(direction.rebind(scope, coordinates))

        start = direction.coordinates(scope)
        value, tangent = jax.jvp(along, (start,), (jnp.broadcast_to(direction.tangent(scope), start.shape),))
        return tangent if jnp.issubdtype(value.array.dtype, jnp.inexact) else _flat(value)

    return differentiated


def _reverse(evaluate: Evaluate, direction: Direction) -> Evaluate:
    def differentiated(scope: Scope) -> Value:
        start = direction.coordinates(scope)
        tangent = direction.tangent(scope)
        if direction.temporal:
            # One time per point, so that one pull-back serves all points.
            start = jnp.broadcast_to(start, (evaluate(scope).points, 1))

        def along(coordinates: Shaped[Array, "N D"]) -> Value:
            return evaluate(direction.rebind(scope, coordinates))

        value, pull_back = jax.vjp(along, start)
        if not jnp.issubdtype(value.array.dtype, jnp.inexact):
            return _flat(value)
        if jnp.iscomplexobj(value.array):
            raise ValueError("reverse mode needs a real-valued expression; differentiate complex ones in forward mode")
        trailing = value.array.shape[1:]
        size = math.prod(trailing)
        seeds = jnp.eye(size, dtype=value.array.dtype).reshape(size, 1, *trailing)

        def component(seed: Shaped[Array, ...]) -> Shaped[Array, " N"]:
            array = jnp.broadcast_to(seed.reshape((1, *trailing)), value.array.shape)
            cotangent = dataclasses.replace(value, array=array)
            return jnp.sum(pull_back(cotangent)[0] * tangent, axis=1)

        columns = [component(seed) for seed in seeds]
        array = jnp.stack(columns, axis=-1).reshape(value.array.shape)
        return dataclasses.replace(value, array=array, point_axis=0)

    return differentiated


def _flat(value: Value) -> Value:
    """Derivative of an expression of integers or booleans: zero in floating point."""
    return dataclasses.replace(value, array=jnp.zeros(value.array.shape, dtype=jnp.result_type(float)))


_ENGINES: dict[str, Callable[[Evaluate, Direction], Evaluate]] = {"forward": _forward, "reverse": _reverse}
