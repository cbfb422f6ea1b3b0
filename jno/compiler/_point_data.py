"""Refusing derivatives of data that are known at the points, or time levels, only.

A coefficient ``a`` attached as values at the points is a constant for automatic differentiation, which would lose
``a' u'`` of ``(a * u.d(x)).d(x)`` without a word.  Data that belong to a sample as a whole, such as the input
function of an operator network, are constants indeed.  Which of the two they are shows in how they reach the
expression: element by element, or, through networks and wrapped functions, by a test: every second value is changed,
and the expression looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jno.trace import (
    BinaryOp,
    Constant,
    Derivative,
    FunctionCall,
    GetItem,
    Integral,
    Literal,
    ModelCall,
    Node,
    Pointwise,
    Reduction,
    TensorTag,
    Variable,
    title,
    unaliased,
    walk,
)

from ._graph import point_tag
from ._program import Program
from ._shapes import infer_shapes

_AT_POINTS, _OPAQUE = "at points", "through a function"
Sources = dict[Node, str]
"""Data an expression is computed from, and how: element by element, or through what cannot be seen into."""


def check_point_data(program: Program, modules: Mapping[int, Any]) -> None:
    """Raise where something is differentiated that contains data at the points, or time levels, of the derivative.

    Raises:
        ValueError: naming the data and what to do.
    """
    shapes: dict[int, tuple[int, ...]] = {}
    for node in walk(program.expressions):
        if not isinstance(node, Derivative) or node.is_finite_difference:
            continue
        for variable in node.variables:
            axis = _Axis(program, variable)
            if not axis.sources(node.target):
                continue
            if not shapes:
                shapes = infer_shapes(program, modules)
            for source, way in axis.reaching(node.target, shapes).items():
                if way == _AT_POINTS or axis.is_pointwise(node.target, source, modules):
                    raise ValueError(_message(node, source, variable))


class _Axis:
    """What a derivative moves along: the points of a tag, or the time levels."""

    def __init__(self, program: Program, variable: Variable) -> None:
        self._program = program
        self._temporal = not variable.at_points
        self._tag = unaliased(point_tag(variable))
        self._count = program.layout.levels if self._temporal else np.shape(program.context[self._tag])[2]

    def sources(self, target: Node) -> list[Node]:
        """Data below a target that differ between the points, or levels."""
        return [node for node in walk([target]) if self._count > 1 and self._varies(node)]

    def _varies(self, node: Node) -> bool:
        if isinstance(node, TensorTag):
            return self._data_varies(node)
        if self._temporal:
            return False
        if isinstance(node, Variable):
            attached = node.tag in self._program.domain.point_data_tags
            return attached and node.tag != self._tag and np.shape(self._program.context[node.tag])[2] == self._count
        if isinstance(node, ModelCall):
            return not node.args and self._has_rows(jax.eval_shape(node.model.module).shape)
        if isinstance(node, Literal | Constant):
            return self._has_rows(np.shape(node.value)) and _differ(np.asarray(node.value), 0)
        return False

    def _has_rows(self, shape: tuple[int, ...]) -> bool:
        return len(shape) > 1 and shape[0] == self._count

    def _data_varies(self, node: TensorTag) -> bool:
        place = self._axis_of(node)
        array = self._program.sources["tensors", node.tag]
        if place is None or len(array.shape) <= place or array.shape[place] != self._count:
            return False
        in_memory = isinstance(array, np.ndarray)
        rows = np.asarray(array[:] if in_memory else array[:1])  # of a data set of a file: the first sample
        return _differ(rows if node.dim_index is None else rows[..., node.dim_index], place)

    def _axis_of(self, node: TensorTag) -> int | None:
        """The axis of the stored data that would run over the points, or over the levels."""
        entry = self._program.layout.entries["tensors", node.tag]
        if self._temporal:
            return None if entry.levels is None else int(entry.has_batch_axis)
        return int(entry.has_batch_axis) + int(entry.levels is not None)

    def reaching(self, target: Node, shapes: Mapping[int, tuple[int, ...]]) -> Sources:
        """The data that the value of ``target`` has at its points or levels, or may have."""
        reached: dict[int, Sources] = {}
        for node in walk([target]):
            if self._varies(node):
                certain = self._temporal or isinstance(node, Variable) or len(shapes.get(id(node), ())) > 1
                reached[id(node)] = {node: _AT_POINTS if certain else _OPAQUE}
                continue
            below: Sources = {}
            for child in self._passing(node, shapes):
                for source, way in reached[id(child)].items():
                    seen = not self._hides(node) and _AT_POINTS in (way, below.get(source))
                    below[source] = _AT_POINTS if seen else _OPAQUE
            reached[id(node)] = below
        return reached[id(target)]

    def _passing(self, node: Node, shapes: Mapping[int, tuple[int, ...]]) -> list[Node]:
        """The children whose data the value of a node still has."""
        if node.stops_gradient():
            return []
        if isinstance(node, Derivative):
            return [node.target]
        children = list(node.children())
        if self._temporal:
            return children
        if isinstance(node, Reduction | Integral | GetItem) and node.pointwise() is not Pointwise.YES:
            return []
        if isinstance(node, FunctionCall) and node.align == "table":
            return children[:-1]
        if isinstance(node, FunctionCall) and node.may_reduce_points:
            return []
        if isinstance(node, BinaryOp) or (isinstance(node, FunctionCall) and node.align == "broadcast"):
            rank = max((len(shapes.get(id(child), ())) for child in children), default=0)
            return [child for child in children if len(shapes.get(id(child), ())) in (1, rank)]
        return children

    def _hides(self, node: Node) -> bool:
        """Whether how a node uses its operands is not known."""
        if self._temporal:
            return False
        is_parameter = isinstance(node, ModelCall) and not node.args
        return not is_parameter and node.pointwise() in (Pointwise.NO, Pointwise.BY_FUNCTION, Pointwise.BY_MODEL)

    def is_pointwise(self, target: Node, source: Node, modules: Mapping[int, Any]) -> bool:
        """Whether changing every second value of some data changes the target there and nowhere else."""
        if not isinstance(source, TensorTag):
            return False
        program = self._program.of_parts([target])
        data = program.few()
        rows = np.asarray(data["tensors", source.tag])
        place = self._axis_of(source)
        assert place is not None
        touched = np.moveaxis(rows.copy(), place, 0)
        touched[::2] = touched[::2] * 2 + 1 if rows.dtype != bool else ~touched[::2]
        used = {model.layer_id: modules[model.layer_id] for model in program.models}
        evaluate = jax.jit(lambda data: program(used, data, jax.random.key(0)))
        changed_data = {**data, ("tensors", source.tag): np.moveaxis(touched, 0, place)}
        before, after = (np.asarray(evaluate(values)[0]) for values in (data, changed_data))
        if before.ndim < 2 or before.shape[1] != self._count:
            return False
        same = np.isclose(before, after, rtol=1e-5, atol=1e-7, equal_nan=True)
        changed = ~same.reshape(len(same), self._count, math.prod(same.shape[2:])).all(axis=(0, 2))
        return bool(changed[::2].any() and not changed[1::2].any())


def _differ(array: np.ndarray, axis: int) -> bool:
    """Whether the entries along an axis are not all the same."""
    return bool(np.any(array != np.take(array, [0], axis=axis)))


def _message(node: Derivative, source: Node, variable: Variable) -> str:
    temporal = not variable.at_points
    where = "time levels" if temporal else f"points of {point_tag(variable)!r}"
    name = f"the data {source.tag!r}" if isinstance(source, TensorTag) else f"'{title(source)}'"
    remedies = (
        "Write it as an expression of time, e.g. jno.np.interp(t, times, values)"
        if temporal
        else "Make it an expression of the coordinates: jno.np.interp(x, xs, values) along a line, jno.np.interpn([x, "
        "y], [xs, ys], values) on a grid, domain.interpolate(values) from the nodes of a mesh; or differentiate with "
        "scheme='finite_difference' on a mesh"
    )
    return (
        f"'{title(node.target)}' is differentiated with respect to {variable!r} and contains {name}, whose values are "
        f"known at the {where} only: its derivative, which automatic differentiation would take for zero, is unknown. "
        f"{remedies}. To hold it constant on purpose use .stop_gradient"
    )
