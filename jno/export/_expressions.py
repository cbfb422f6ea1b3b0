"""Expressions over the coordinates of one set of points as functions of arrays."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, Shaped

from jno.compiler import Program, check_pointwise
from jno.trace import Node

from ._files import ExportedFile, checked_format, write
from ._function import Argument, ArrayFunction, differs
from ._places import ExportArguments, place_of

_POINTS = 64
"""Points that are enough to see whether they influence each other."""


def export_expressions(
    program: Program,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    platforms: Sequence[str] | None = None,
) -> ExportedFile:
    """See `jno.core.core.export`; ``program`` holds the expressions over their domain."""
    file_format = checked_format(path, format, platforms)
    return write(expression_function(program), path, file_format, platforms)


def expression_function(program: Program) -> ArrayFunction:
    """The expressions at one point, mapped over any number of points.

    Raises:
        ValueError: an expression needs more than the coordinates of its point (see `place_of`), or its value there
            depends on the other points.
    """
    place = place_of(program)
    modules = {model.layer_id: eqx.nn.inference_mode(model.module) for model in program.models}
    few = _few_points(program, place)
    check_pointwise(few, modules)
    arguments = _arguments(few, place)
    alone = _one_point(program, few, place)
    # the arrays are made here: while a function is traced they would be part of its trace
    call = _ExportedCall(alone, place, modules, alone.data)
    function = ArrayFunction("expressions", call, arguments)
    _refuse_coupling(function, jax.jit(few)(modules, few.data), call)
    return function


@dataclasses.dataclass(frozen=True, eq=False)
class _ExportedCall:
    """``(*coordinates, time, *data)`` to the values of the expressions."""

    program: Program
    place: ExportArguments
    modules: dict[int, PyTree]
    data: dict[tuple[str, str], PyTree]

    @property
    def moves(self) -> list[bool]:
        """Whether each expression depends on the place, or is the same everywhere."""
        tags = [self.program.graph.tags(root) for root in self.program.expressions]
        return [bool(root_tags & {self.place.points, self.place.time}) for root_tags in tags]

    def __call__(self, *arrays: Array) -> Array | tuple[Array, ...]:
        moving = len(arrays) - len(self.place.data)
        in_axes = [0] * moving + [None] * len(self.place.data)
        out_axes = tuple(0 if moves else None for moves in self.moves)
        values = jax.vmap(self._at_point, in_axes=in_axes, out_axes=out_axes)(*arrays)
        return values[0] if len(values) == 1 else values

    def _at_point(self, *arrays: Shaped[Array, ...]) -> tuple[Array, ...]:
        place, bound = self.place, dict(self.data)
        remaining = list(arrays)
        if place.points is not None:
            bound["points", place.points] = jnp.concatenate(remaining[: place.width]).reshape(1, 1, 1, place.width)
            remaining = remaining[place.width :]
        if place.time is not None:
            bound["times", place.time] = remaining.pop(0).reshape(1, 1)
        for tag, row in zip(place.data, remaining, strict=True):
            bound["tensors", tag] = row.reshape(bound["tensors", tag].shape)
        values = self.program(self.modules, bound)
        return tuple(map(self._alone, values, self.program.expressions, self.moves))

    def _alone(self, value: Array, root: Node, moves: bool) -> Array:
        """Without the axis of samples, which expressions of parameters do not have, and that of the one point."""
        if not moves:
            return value[0] if self.program.graph.tags(root) else value
        if value.ndim < 2 or value.shape[1] != 1:
            raise _coupled(root)
        return value[0, 0]


def _few_points(program: Program, place: ExportArguments) -> Program:
    """The expressions on some of the domain's own points, at the first time level of the first sample."""
    context: dict[str, Any] = {}
    for (kind, tag), entry in program.layout.entries.items():
        array = program.context[tag]
        if kind == "points":
            count = array.shape[2]
            # data may have an entry for each of the points: then all are needed
            step = 1 if place.tables else -(-count // _POINTS)
            context[tag] = np.array(array[:1, :1, ::step])
        elif kind == "times":
            context[tag] = np.asarray(array[:1])
        else:
            context[tag] = np.asarray(array[:1] if entry.has_batch_axis and entry.batched else array[:])
    return Program(program.expressions, program.domain, context=context, graph=program.graph)


def _one_point(program: Program, few: Program, place: ExportArguments) -> Program:
    context = {tag: array[:, :, :1] if tag == place.points else array for tag, array in few.context.items()}
    return Program(program.expressions, program.domain, context=context, graph=program.graph)


def _arguments(few: Program, place: ExportArguments) -> tuple[Argument, ...]:
    """Columns of the points, the time at each of them, and one row of every data tag."""
    arguments: list[Argument] = []
    count = 2
    if place.points is not None:
        points = few.data["points", place.points][0, 0]
        count = len(points)
        arguments += [Argument(name, points[:, i : i + 1], True) for i, name in enumerate(place.coordinates)]
    if place.time is not None:
        times = jnp.broadcast_to(few.data["times", place.time][:1], (count, 1))
        arguments.append(Argument("t", times, True))
    for tag in place.data:
        drop = 2 if few.layout.entries["tensors", tag].levels == 1 else 1
        row = few.data["tensors", tag]
        arguments.append(Argument(tag, row.reshape(row.shape[drop:]), False))
    return tuple(arguments)


def _refuse_coupling(function: ArrayFunction, on_all_points: Sequence[Array], call: _ExportedCall) -> None:
    values = jax.tree_util.tree_leaves(jax.jit(function.call)(*function.samples))
    for value, expected, root, moves in zip(values, on_all_points, call.program.expressions, call.moves, strict=True):
        if moves and differs(expected[0], value):
            raise _coupled(root)


def _coupled(root: Node) -> ValueError:
    return ValueError(
        f"cannot export '{root!r}': its value at a point depends on the other points (a reduction or a network over "
        "all points, single points picked by index, data with one entry per point); an exported function takes any "
        "number of points"
    )
