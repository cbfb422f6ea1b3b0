"""Derivatives by the weights of what is point-wise, one point at a time: reverse mode, mapped over the points.

A row of the Jacobian belongs to one point.  Pulled back through all points it would cost a pass over all of them;
pushed forward, every weight would.  One point at a time, the whole Jacobian costs about as much as one gradient.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.trace import Derivative, FunctionCall, ModelCall, Node, Pointwise, TensorTag, walk

from ._coupling import OnPoints, same_values
from ._finite_difference import uses_stencil
from ._graph import spatial_tags
from ._perturbed_weights import PERTURBATIONS, perturbed_weights
from ._probes import is_pointwise, shapes_with_more_points
from ._program import Program
from ._types import AnyArray, Arrays, Key, Modules, Name

_POINTS = 64
"""Points at a time: what is in flight stays in the cache."""


class PointRows:
    """One expression whose value at a point depends on that point alone.

    Args:
        program: of that expression.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        # of one tag: coordinates, and normals where they are read
        self._moving = [name for name in program.layout.entries if name[0] == "points" or program.holds_at_points(name)]

    def jacobian(
        self,
        modules_of: Callable[[Float[Array, " P"]], Modules],
        parameters: Float[Array, " P"],
        data: Arrays,
        key: Key | None,
    ) -> Float[Array, "R P"]:
        """Derivatives of all entries of the value, in their order, by the parameters.

        Of a complex value those of all real parts, and after them those of all imaginary parts.
        """

        def of_point(bound: Arrays) -> Float[Array, "parts C P"]:
            def values(parameters: Float[Array, " P"]) -> Float[Array, "parts C"]:
                (value,) = self._program.at_level(modules_of(parameters), bound)
                entries = value.ravel()
                return jnp.stack([entries.real, entries.imag]) if jnp.iscomplexobj(entries) else entries[None]

            row, pull = jax.vjp(values, parameters)
            if row.size == 1:
                return pull(jnp.ones_like(row))[0][None, None]
            units = jnp.eye(row.size, dtype=row.dtype).reshape(-1, *row.shape)
            return jax.vmap(lambda cotangent: pull(cotangent)[0])(units).reshape(*row.shape, -1)

        rows = self._at_points(of_point, data, key)
        return jnp.moveaxis(rows, -3, 0).reshape(-1, parameters.size)

    def values(self, modules: Modules, data: Arrays, key: Key | None) -> Array:
        """The value at every point, computed there alone."""
        return self._at_points(lambda bound: self._program.at_level(modules, bound)[0][0], data, key)

    def _at_points(self, of_point: Callable[[Arrays], Array], data: Arrays, key: Key | None) -> Array:
        """Something of every sample, level and point."""

        def at_level(arrays: Arrays, key: Key | None, window: object) -> list[Array]:
            del key, window
            moving = {name: jnp.asarray(arrays[name]) for name in self._moving if name in arrays}
            fixed = {name: array for name, array in arrays.items() if name not in moving}

            def at(point: dict[Name, Array]) -> Array:
                bound: dict[Name, AnyArray] = {**fixed, **{name: row[None] for name, row in point.items()}}
                return of_point(bound)

            return [jax.lax.map(at, moving, batch_size=_POINTS)]

        (result,) = self._program.at_levels(at_level, data, key)
        return result


def point_rows_for(program: Program) -> PointRows | None:
    """How to differentiate the one expression of a program point by point; None where points influence each other."""
    (root,) = program.roots
    tags = spatial_tags([root])
    if len(tags) != 1 or tags[0] not in program.graph.tags(root) or program.noise_streams:
        return None
    nodes = list(walk([root]))
    if any(uses_stencil(node) or (node.binds and not isinstance(node, Derivative)) for node in nodes):
        return None
    rows = PointRows(program)
    with jax.ensure_compile_time_eval():
        alone = _depends_on_its_point_alone(rows, program, root, nodes, tags[0])
    return rows if alone and not _draws(program) else None


def _depends_on_its_point_alone(rows: PointRows, program: Program, root: Node, nodes: list[Node], tag: str) -> bool:
    wrapped = any(node.pointwise() is Pointwise.BY_FUNCTION for node in nodes)
    if not wrapped and not any(isinstance(node, TensorTag) for node in nodes):
        return program.facts.point_tags[id(root)] == tag and is_pointwise(program)
    # what reads data or calls a wrapped function is tested as a whole: the facts know of points and time only
    allowed = (Pointwise.YES, Pointwise.BY_MODEL, Pointwise.BY_SHAPE, Pointwise.BY_FUNCTION)
    if any(tag in program.graph.tags(node) and node.pointwise() not in allowed for node in nodes):
        return False
    if any(node.stops_gradient() for node in nodes):  # the test would not move what is below
        return False
    if any(isinstance(node, FunctionCall) and node.takes_key for node in nodes):
        return False
    modules = {model.layer_id: model.module for model in program.models}
    if wrapped and not _is_itself_at_one_point(rows, program, modules):
        return False
    try:
        if shapes_with_more_points(program, 1) == shapes_with_more_points(program, 0):
            return False
    except ValueError:  # one row of the data for each point
        return False
    return not program.coupled([OnPoints(root, tag)], modules)


def _is_itself_at_one_point(rows: PointRows, program: Program, modules: Modules) -> bool:
    """Whether wrapped functions do not care how many points they get and which of them comes first."""

    @jax.jit
    def both(data: Arrays, size: Float[Array, ""]) -> tuple[Array, Array]:
        tested = perturbed_weights(modules, size)
        (together,) = program(tested, data)
        return together, rows.values(tested, data, None)

    try:
        pairs = [jax.device_get(both(program.few(), size)) for size in PERTURBATIONS]
    except Exception:  # a function of the user's may fail in any way on one point; then all points are taken together
        return False
    return all(
        together.shape == alone.shape and np.isfinite(together).all() and same_values(together, alone)
        for together, alone in pairs
    )


def _draws(program: Program) -> bool:
    """Whether a network draws random numbers, which would be others for a single point."""
    modules = {model.layer_id: model.module for model in program.models}
    called = {node.model.layer_id for node in walk(program.roots) if isinstance(node, ModelCall)}
    if not any("key" in inspect.signature(type(modules[layer]).__call__).parameters for layer in called):
        return False

    def values(key: Array, data: Arrays) -> tuple[Array, ...]:
        def at_level(arrays: Arrays, _: Key | None, __: object) -> list[Array]:
            return program.at_level(modules, arrays, key)

        return program.at_levels(at_level, data, None)

    jaxpr = jax.make_jaxpr(values)(jax.random.PRNGKey(0), dict(program.abstract_data)).jaxpr
    read = {id(var) for var in jaxpr.outvars}
    for equation in reversed(jaxpr.eqns):
        if any(id(var) in read for var in equation.outvars):
            read.update(id(var) for var in equation.invars)
    return id(jaxpr.invars[0]) in read
