"""Testing what the trace cannot see through, networks and wrapped functions: do their points influence each other?

Most networks show in their jaxpr that they do not (`_point_axis`). Of the others every second point is moved, and the
values at the remaining ones must stay as they are.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax.extend import core as jex
from jaxtyping import Array, Float, PyTree

from jno.trace import (
    Derivative,
    Model,
    ModelCall,
    Node,
    Noise,
    Pointwise,
    Print,
    TensorTag,
    Variable,
    point_tag,
    rewrite,
    substitute,
    walk,
)
from jno.utils import shape_of

from ._graph import Graph, spatial_tags
from ._perturbed_weights import PERTURBATIONS, perturbed_weights
from ._point_axis import point_axes

_FIXED = "@fixed"
"""Suffix of the alias tag whose points stay while those of the tag move."""

_STRETCH = 1.7
"""Moved points are stretched about the centre of their tag, far enough to change extrema as well as means."""

_POINT_AXIS = 2
"""Of the coordinates ``(B, T, N, D)``."""

_FEWEST = 4
"""A tag of a single point is tested with this many copies, moved apart."""


@dataclasses.dataclass(frozen=True)
class OnPoints:
    """An expression, and the tag of points at which it is looked at."""

    node: Node
    tag: str


@runtime_checkable
class PartProgram(Protocol):
    """A program of some parts of expressions, evaluated sample by sample (`Program.of_parts`)."""

    models: list[Model]

    def few(self) -> dict[tuple[str, str], Any]:
        """The data of at most two samples."""

    def __call__(self, modules: dict[int, Any], data: Mapping[Any, Any], key: Any = None) -> tuple[Any, ...]:
        """The values of the parts."""


def differentiated(roots: Sequence[Node], graph: Graph) -> list[OnPoints]:
    """The target of every automatic spatial derivative, where it calls a network or a wrapped function."""
    targets: dict[tuple[int, str], OnPoints] = {}
    for node in walk(roots):
        if not isinstance(node, Derivative) or node.is_finite_difference:
            continue
        if not any(_is_opaque(below) for below in walk([node.target])):
            continue
        for variable in node.variables:
            tag = point_tag(variable)
            if variable.at_points and tag in graph.tags(node.target):
                targets[id(node.target), tag] = OnPoints(node.target, tag)
    return list(targets.values())


def _is_opaque(node: Node) -> bool:
    return node.pointwise() in (Pointwise.BY_MODEL, Pointwise.BY_FUNCTION)


def untested_calls(roots: Sequence[Node], graph: Graph) -> list[OnPoints]:
    """Model calls over the points of one tag and nothing but points and time that no test has looked at yet."""
    calls: list[OnPoints] = []
    for node in walk(roots):
        if not isinstance(node, ModelCall) or graph.couples(node) is not None:
            continue
        tags = spatial_tags([node])
        if len(tags) == 1 and tags[0] in graph.tags(node) and not any(map(_is_data, walk([node]))):
            calls.append(OnPoints(node, tags[0]))
    return calls


def _is_data(node: Node) -> bool:
    return isinstance(node, TensorTag | Noise)


def coupled(program: PartProgram, tag: str, modules: Mapping[int, PyTree]) -> list[bool]:
    """Whether the value at other points changes when every second point of ``tag`` moves.

    Args:
        program: expressions that were `prepared`.
        tag: whose points are moved.
        modules: modules by `Model.layer_id`.
    """
    data = _with_several_points(program.few(), tag)
    points = np.asarray(data["points", tag])
    tested = {model.layer_id: modules[model.layer_id] for model in program.models}
    fixed = {name: array for name, array in data.items() if name != ("points", tag)}

    def values(points: Array, fixed: Mapping[Any, Any], size: Float[Array, ""]) -> tuple[Any, ...]:
        return program(perturbed_weights(tested, size), {**fixed, ("points", tag): points}, jax.random.key(0))

    evaluate = jax.jit(values)
    proofs = _proofs(evaluate.trace(points, fixed, 0.0).jaxpr, points)
    if None not in proofs:
        return [bool(proof) for proof in proofs]
    count, changed = points.shape[2], [False] * len(proofs)
    for size in PERTURBATIONS:
        before, after = (jax.device_get(evaluate(at, fixed, size)) for at in (points, _moved(points)))
        pairs = zip(changed, before, after, strict=True)
        changed = [known or _others_changed(a, b, count) for known, a, b in pairs]
    return changed


def _proofs(jaxpr: jex.ClosedJaxpr, points: Float[np.ndarray, "B T N D"]) -> list[bool | None]:
    """Whether the points of every value influence each other, None where the jaxpr does not show it.

    The points are its first input.
    """
    axes = point_axes(jaxpr, [_POINT_AXIS, *[None] * (len(jaxpr.in_avals) - 1)])
    return [
        _proof(axis, shape_of(var), points.shape[_POINT_AXIS])
        for axis, var in zip(axes, jaxpr.jaxpr.outvars, strict=True)
    ]


def _proof(axis: int | None, shape: tuple[int, ...], count: int) -> bool | None:
    """See `_proofs`, of a value ``(B, N, ...)``."""
    if shape[1] != count:
        return True
    return False if axis in (None, 1) else None


def _with_several_points(data: dict[tuple[str, str], Any], tag: str) -> dict[tuple[str, str], Any]:
    """One point influences no other on its own domain, but it would meet those of other samples when folded."""
    if np.shape(data["points", tag])[2] > 1:
        return data
    copied = {name: np.repeat(array, _FEWEST, axis=2) for name, array in data.items() if name[1] in (tag, f"n_{tag}")}
    points = copied["points", tag]
    copied["points", tag] = points + 0.1 * np.arange(_FEWEST, dtype=points.dtype)[:, None] * (1 + np.abs(points))
    return {**data, **copied}


def _moved(points: Float[np.ndarray, "B T N D"]) -> Float[np.ndarray, "B T N D"]:
    """Every second point elsewhere; by NumPy, because every operation of JAX would be compiled."""
    centre = np.mean(points, axis=(0, 1, 2))
    displaced = points.copy()
    displaced[:, :, ::2] = centre + _STRETCH * (points[:, :, ::2] - centre) + 0.01
    return displaced


def _others_changed(before: Array | np.ndarray, after: Array | np.ndarray, count: int) -> bool:
    """Whether values ``(B, N, ...)`` differ at the points that stayed, or do not run over the points at all."""
    if before.shape[1] != count:
        return True
    return not same_values(before[:, 1::2], after[:, 1::2])


def same_values(first: Array | np.ndarray, second: Array | np.ndarray) -> bool:
    """Whether arrays of one shape agree but for rounding."""
    kind = np.complex128 if np.iscomplexobj(first) else np.float64
    a, b = (np.asarray(values, dtype=kind) for values in (first, second))
    return np.allclose(a, b, rtol=1e-5, atol=1e-7, equal_nan=True)


def prepared(node: Node, tag: str) -> Node:
    """An expression without printing, whose stopped gradients read points that do not move: they have no derivative."""
    return rewrite(node, functools.partial(_replaced, tag=tag))


def _replaced(node: Node, tag: str) -> Node:
    if isinstance(node, Print):
        return node.target
    if node.stops_gradient():
        moving = [v for v in walk([node]) if isinstance(v, Variable) and v.tag == tag]
        fixed = {id(v): Variable(tag + _FIXED, v.dim, v.domain, copy=v.copy) for v in moving}
        return substitute(node, fixed)
    return node
