"""Refusing derivatives that would be silently wrong: automatic differentiation here is point-wise.

A derivative pushes one tangent through all points at once, which is the derivative at each point only if no point
influences another.  What the trace cannot see through, networks and wrapped functions, is tested: every second point
is moved, and the values at the others must stay as they are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jno.trace import (
    Derivative,
    FunctionCall,
    ModelCall,
    NetworkGradient,
    Node,
    Noise,
    Print,
    TensorTag,
    UnaryOp,
    Variable,
    point_tag,
    rewrite,
    substitute,
    title,
    walk,
)

from ._finite_difference import is_automatic
from ._graph import Graph, spatial_tags
from ._point_data import check_point_data
from ._program import Program

_FIXED = "@fixed"
"""Suffix of the alias tag whose points stay while those of the tag move."""

_MANY = 4096
"""Coordinates from which on it is worth knowing whether networks couple points, were it only for blocks."""

_STRETCH = 1.7
"""Moved points are stretched about the centre of their tag, far enough to change extrema as well as means."""


def check_pointwise(program: Program, modules: Mapping[int, Any]) -> None:
    """Find out which model calls couple points; raise when a differentiated expression does, or contains point data.

    Calls that do not couple points are noted in ``program.graph.pointwise``.

    Raises:
        ValueError: naming the expression and the tag.
    """
    check_point_data(program, modules)
    targets = differentiated(program.roots, program.graph)
    folds = program.layout.samples * program.layout.levels > 1 or _has_many_points(program)
    wanted = folds or any(isinstance(node, NetworkGradient) for node in walk(program.roots))
    calls = model_calls(program.roots, program.graph) if wanted else []
    for tag in sorted({tag for _, tag in targets + calls}):
        tested = {id(node): node for node, at in targets + calls if at == tag}
        coupled = _coupled(list(tested.values()), tag, program, modules)
        for target, at in targets:
            if at == tag and id(target) in coupled:
                raise ValueError(
                    f"'{title(target)}' is differentiated at the points of {tag!r}, but moving some points changes "
                    "its value at others (batch normalisation, convolution or attention over points, a mean inside "
                    "jno.fn): the derivative at a point is not defined. Use scheme='finite_difference', or a "
                    "point-wise network"
                )
        program.graph.pointwise |= {id(node) for node, at in calls if at == tag and id(node) not in coupled}


def _has_many_points(program: Program) -> bool:
    """Whether training may cut the points into blocks."""
    return any(kind == "points" and math.prod(array.shape) >= _MANY for (kind, _), array in program.sources.items())


def differentiated(roots: Sequence[Node], graph: Graph) -> list[tuple[Node, str]]:
    """``(target, tag)`` of every automatic spatial derivative whose target calls a network or a wrapped function."""
    found: dict[tuple[int, str], tuple[Node, str]] = {}
    for node in walk(roots):
        if not isinstance(node, Derivative) or not is_automatic(node):
            continue
        if not any(_is_opaque(below) for below in walk([node.target])):
            continue
        for variable in node.variables:
            if variable.axis == "spatial" and point_tag(variable) in graph.tags(node.target):
                found[id(node.target), point_tag(variable)] = (node.target, point_tag(variable))
    return list(found.values())


def model_calls(roots: Sequence[Node], graph: Graph) -> list[tuple[Node, str]]:
    """``(call, tag)`` of every model call over the points of one tag and nothing but points and time."""
    found: list[tuple[Node, str]] = []
    for node in walk(roots):
        if not isinstance(node, ModelCall) or any(isinstance(below, TensorTag | Noise) for below in walk([node])):
            continue
        tags = spatial_tags([node])
        if len(tags) == 1 and tags[0] in graph.tags(node):
            found.append((node, tags[0]))
    return found


def _is_opaque(node: Node) -> bool:
    return isinstance(node, ModelCall) or (isinstance(node, FunctionCall) and node.align is None)


def _prepared(node: Node, tag: str) -> Node:
    """Without printing, and with stopped gradients reading points that do not move: they have no derivative."""
    if isinstance(node, Print):
        return node.target
    if isinstance(node, UnaryOp) and node.op == "stop_gradient":
        moving = [v for v in walk([node]) if isinstance(v, Variable) and v.tag == tag]
        fixed = {id(v): Variable(tag + _FIXED, v.dim, v.domain, copy=v.copy) for v in moving}
        return substitute(node, fixed)
    return node


def _coupled(targets: list[Node], tag: str, whole: Program, modules: Mapping[int, Any]) -> set[int]:
    """Ids of the targets whose value at other points changes when every second point of ``tag`` moves."""
    tested = [rewrite(target, functools.partial(_prepared, tag=tag)) for target in targets]
    program = whole.of_parts(tested)
    data = program.few()
    points = np.asarray(data["points", tag])
    if points.shape[2] == 1:
        return set()
    own = {model.layer_id: modules[model.layer_id] for model in program.models}
    evaluate = jax.jit(lambda data: program(own, data, jax.random.key(0)))
    # by NumPy: every operation of JAX would be compiled
    centre = np.mean(points, axis=(0, 1, 2))
    moved = points.copy()
    moved[:, :, ::2] = centre + _STRETCH * (points[:, :, ::2] - centre) + 0.01
    before, after = (jax.device_get(evaluate({**data, ("points", tag): at})) for at in (points, moved))
    changed = set()
    for target, a, b in zip(targets, before, after, strict=True):
        # (B, N, ...): the points that stayed
        kind = np.complex128 if np.iscomplexobj(a) else np.float64
        first, second = (np.asarray(values[:, 1::2], dtype=kind) for values in (a, b))
        if a.shape[1] != points.shape[2] or not np.allclose(first, second, rtol=1e-5, atol=1e-7, equal_nan=True):
            changed.add(id(target))
    return changed
