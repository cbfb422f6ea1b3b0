"""What an equation is solved for, and where its value is fixed whatever the weights are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from jno.compiler import Program, models_of, placed_points
from jno.trace import Derivative, Hessian, Jacobian, Node, Variable, walk
from jno.training import TrainingView

from ._directions import random_direction

_FIXED = 1e-3
"""Of the change inside: where a change of the weights moves the value by less, its value is prescribed."""

_DIRECTIONS = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Unknown:
    """An expression that is differentiated, and contains none that is.

    Attributes:
        expression: such as a network, or an envelope times one.
        order: of its highest derivative in space.
        time_order: of its highest derivative by time.
    """

    expression: Node
    order: int
    time_order: int


def unknowns_of(constraints: Sequence[Node]) -> list[Unknown]:
    """What the terms differentiate in space or time."""
    orders: dict[int, Unknown] = {}
    stack = [(constraint, 0, 0) for constraint in constraints]
    seen: set[tuple[int, int, int]] = set()
    while stack:
        node, order, time_order = stack.pop()
        if (id(node), order, time_order) in seen or not models_of([node]):
            continue
        seen.add((id(node), order, time_order))
        if isinstance(node, Derivative):
            in_space, in_time = _orders(node)
            stack.append((node.target, order + in_space, time_order + in_time))
        elif order + time_order == 0 or any(isinstance(below, Derivative) for below in walk([node])):
            stack.extend((child, order, time_order) for child in node.children())
        else:
            record = orders.get(id(node), Unknown(node, 0, 0))
            orders[id(node)] = Unknown(node, max(record.order, order), max(record.time_order, time_order))
    return list(orders.values())


def _orders(node: Derivative) -> tuple[int, int]:
    """Order in space and by time of one derivative."""
    degree = 2 if isinstance(node, Hessian) else 1 if isinstance(node, Jacobian) else 0
    axes = {variable.axis for variable in node.variables if isinstance(variable, Variable)}
    return (degree if "spatial" in axes else 0), (degree if "temporal" in axes else 0)


def changes(
    view: TrainingView, unknown: Unknown, points: Float[np.ndarray, "n d"], time: float | None
) -> Float[np.ndarray, "k n"] | None:
    """How the unknown changes at points (and a time), in some random directions of the weights.

    None where it cannot be evaluated at any points.
    """
    domain, expression = view.program.domain, unknown.expression
    moves = time is not None and any(isinstance(v, Variable) and v.axis == "temporal" for v in walk([expression]))
    try:
        placed = placed_points((points, time) if moves else points, [expression], domain, 1)
    except ValueError:  # it needs the mesh, or data at its points
        return None
    assert placed is not None, "arrays are placed"
    program = Program([expression], domain, context=placed.context(domain.context), graph=view.program.graph)
    data = {name: view.data[name] if name[0] == "weights" else array for name, array in program.data.items()}

    def values(parameters: PyTree, fixed: PyTree) -> Array:
        modules = {**fixed, **{i: eqx.combine(leaves, fixed[i]) for i, leaves in parameters.items()}}
        return program({m.layer_id: modules[m.layer_id] for m in program.models}, data, None)[0]

    @eqx.filter_jit
    def change(parameters: PyTree, fixed: PyTree, direction: PyTree) -> Array:
        return jax.jvp(lambda p: values(p, fixed), (parameters,), (direction,))[1]

    fixed = {m.layer_id: view.modules(view.parameters)[m.layer_id] for m in program.models}
    trained = {i: leaves for i, leaves in view.parameters.items() if i in fixed}
    fixed |= {i: view.fixed[i] for i in trained}
    if not trained:
        return None
    slopes = [np.abs(np.asarray(change(trained, fixed, random_direction(trained, k)))) for k in range(_DIRECTIONS)]
    if slopes[0].ndim < 2 or slopes[0].shape[-2] != len(points):
        return None
    return np.stack([slope.reshape(-1, *slope.shape[-2:]).max(axis=(0, 2)) for slope in slopes])


def prescribed(
    view: TrainingView,
    unknown: Unknown,
    points: Float[np.ndarray, "n d"],
    inside: Float[np.ndarray, "m d"],
    time: float | None,
    inside_time: float | None,
) -> Bool[np.ndarray, " n"] | None:
    """Where the value does not depend on the weights: conditions that hold by construction. None: not known."""
    there = changes(view, unknown, points, time)
    reference = changes(view, unknown, inside, inside_time)
    if there is None or reference is None:
        return None
    return (there < _FIXED * np.sqrt(np.mean(reference**2, axis=1, keepdims=True))).all(axis=0)


def is_periodic(
    view: TrainingView,
    unknown: Unknown,
    places: Float[np.ndarray, "n d"],
    box: Float[np.ndarray, "2 d"],
    time: float | None,
) -> Bool[np.ndarray, " n"]:
    """Where the value is that of the opposite side of a box whatever the weights are, as with periodic features."""
    lower, upper = box
    here = changes(view, unknown, places, time)
    periodic = np.zeros(len(places), bool)
    for axis in range(places.shape[1]):
        opposite = places.copy()
        opposite[:, axis] = lower[axis] + upper[axis] - places[:, axis]
        on_sides = np.isclose(places[:, axis], lower[axis]) | np.isclose(places[:, axis], upper[axis])
        there = changes(view, unknown, opposite, time) if on_sides.any() else None
        if here is not None and there is not None:
            size = np.sqrt(np.mean(here**2, axis=1, keepdims=True))
            periodic |= on_sides & (np.abs(here - there) < _FIXED * size).all(axis=0)
    return periodic
