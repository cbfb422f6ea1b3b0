"""Essential conditions and initial values: affine expressions of one unknown, read at its nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Float, Int

from jno.compiler import Channel, PointFunction, unread_inputs
from jno.domain import domain as Domain
from jno.trace import FieldValue, Pin

from ._regions import region_on_mesh
from ._spaces import Space
from ._terms import Term

_VALUE, _RATE = Channel(), Channel(1)


@dataclasses.dataclass(frozen=True, eq=False)
class Condition:
    """Values of an unknown at some nodes.

    Attributes:
        label: how it is listed, e.g. ``dirichlet@left[x]``.
        space: the unknown.
        component: the component that is prescribed; None: all.
        nodes: where.
        derivative: 0 for values, 1 for the first derivative by time (an initial velocity).
    """

    label: str
    space: Space
    component: int | None
    nodes: Int[np.ndarray, " n"]
    derivative: int
    _function: PointFunction | None
    _field: FieldValue
    _scale: float
    _normals: Float[np.ndarray, "n D"] | None
    _constant: float = 0.0

    @property
    def dofs(self) -> Int[np.ndarray, "n c"]:
        """The degrees of freedom, node by node."""
        dofs = self.space.dofs(self.nodes)
        return dofs if self.component is None else dofs[:, self.component : self.component + 1]

    @property
    def models(self) -> tuple[Any, ...]:
        """Models in the prescribed values."""
        return () if self._function is None else self._function.models

    @property
    def data(self) -> tuple[Any, ...]:
        """Data tags in the prescribed values."""
        return () if self._function is None else self._function.data

    @property
    def reads_time(self) -> bool:
        """Whether the values may change with time."""
        return self._function is not None and self._function.reads_time

    def values(
        self, time: ArrayLike, modules: Mapping[int, Any], data: Mapping[str, Any], dtype: DTypeLike
    ) -> Float[Array, "n c"]:
        """The prescribed values, node by node."""
        if self._function is None:
            return jnp.full(self.dofs.shape, self._constant, dtype)
        points = jnp.asarray(self.space.nodes.points[self.nodes], dtype)
        normals = None if self._normals is None else jnp.asarray(self._normals, dtype)
        at_zero = _at_zero(self._function, self._field, points, normals, time, modules, data, self.dofs.shape[1])
        # zero minus the value, so that a prescribed zero has no sign
        return (0.0 - at_zero) / self._scale


def _at_zero(
    function: PointFunction,
    field: FieldValue,
    points: Float[Array, "n D"],
    normals: Float[Array, "n D"] | None,
    time: ArrayLike,
    modules: Mapping[int, Any],
    data: Mapping[str, Any],
    components: int,
    unknown: Float[Array, "n C"] | None = None,
) -> Float[Array, "n c"]:
    """The expression where the unknown is zero, or has other values."""
    zero = jnp.zeros((len(points), field.field.components), points.dtype) if unknown is None else unknown
    table = {f: _SameForAll(zero) for f in function.fields}
    value = function(points, normals, time, table, modules, data)
    return function.vector(value, len(points), components)


class _SameForAll(dict[Channel, Any]):
    """One array for all derivatives: only values are read, which was checked."""

    def __init__(self, array: Any) -> None:
        super().__init__()
        self._array = array

    def __missing__(self, channel: Channel) -> Any:
        return self._array


def condition_of(
    term: Term, space: Space, domain: Domain, modules: Mapping[int, Any], data: Mapping[str, Any]
) -> Condition:
    """The condition that a term states.

    Raises:
        ValueError: it is not affine in the values of the unknown with a constant factor.
    """
    initial = term.kind == "initial"
    region = region_on_mesh(domain, term.region, inward=term.inward)
    nodes = space.nodes_on(region)
    if isinstance(term.expression, Pin):
        return _pinned(term.expression, space, term.fields[0])
    function = PointFunction(term.expression, domain)
    (field,) = function.fields
    dtype = jnp.result_type(float)
    read = function.channels(modules, data, dtype)[field]
    derivative = 0
    if initial and _is_of_the_rate(function, field, read, modules, data):
        derivative = 1
    elif read != [_VALUE]:
        raise ValueError(
            f"jno.fem: {term.expression!r} prescribes derivatives of {field.field.name!r}; a condition must be affine "
            f"in its values, u(xb, yb) - g; fluxes are terms with the test function"
        )
    normals = space.normals_on(region, nodes)
    scale, component = _shape_of(term, function, field, space, nodes, normals, modules, data)
    axes = "xyz"
    suffix = "" if component is None else f"[{axes[component] if component < 3 else component}]"
    label = "initial" if initial else f"dirichlet@{term.region}{suffix}"
    return Condition(label, space, component, nodes, derivative, function, field, scale, normals)


def _is_of_the_rate(
    function: PointFunction,
    field: FieldValue,
    read: Sequence[Channel],
    modules: Mapping[int, Any],
    data: Mapping[str, Any],
) -> bool:
    """Whether an expression depends on the first derivative of the field by time alone."""
    if not {_RATE} <= {*read} <= {_VALUE, _RATE}:
        return False
    dtype = jnp.result_type(float)
    points = jnp.zeros((_ANY, field.field.domain.dimension), dtype)
    zero = jnp.zeros((_ANY, field.field.components), dtype)

    def evaluate(value: Float[Array, "n C"], rate: Float[Array, "n C"]) -> Any:
        table = {field: {_VALUE: value, _RATE: rate}}
        return function(points, points, jnp.zeros((), dtype), table, modules, data).array

    return unread_inputs(evaluate, (zero, zero))[0]


_ANY = 5
"""Number of points at which an expression is only looked at."""


def _pinned(pin: Pin, space: Space, field: FieldValue) -> Condition:
    """The vertex nearest to the lower corner of the bounding box."""
    vertices = space.nodes.points[: int(space.nodes.cells.max()) + 1]
    used = np.zeros(len(vertices), dtype=bool)
    used[space.nodes.cells.reshape(-1)] = True
    distance = np.linalg.norm(vertices - vertices[used].min(axis=0), axis=1)
    distance[~used] = np.inf
    node = np.array([int(np.argmin(distance))])
    name = f"dirichlet@_gauge_pin_{space.field.name}"
    return Condition(name, space, None, node, 0, None, field, 1.0, None, pin.value)


def _shape_of(
    term: Term,
    function: PointFunction,
    field: FieldValue,
    space: Space,
    nodes: Int[np.ndarray, " n"],
    normals: Float[np.ndarray, "n D"] | None,
    modules: Mapping[int, Any],
    data: Mapping[str, Any],
) -> tuple[float, int | None]:
    """The factor of the unknown, and which component is prescribed (None: all).

    Raises:
        ValueError: the expression is not a number times the unknown, or times one component, minus a value.
    """
    dtype = jnp.result_type(float)
    # not jax.numpy.asarray, which compiles a program for every shape
    points = jax.device_put(space.nodes.points[nodes].astype(dtype))
    at_normals = None if normals is None else jax.device_put(normals.astype(dtype))
    unknown = jax.device_put(np.zeros((len(nodes), field.field.components), dtype))
    count = _width(function, points, at_normals, unknown, modules, data)
    if count == 0:
        raise ValueError(
            f"jno.fem: the condition {term.expression!r} takes a component that {field.field.name!r} does not have: "
            f"it has {field.field.components}, counted from 0"
        )

    def of_unknown(values: Float[Array, "n C"]) -> Float[Array, "n c"]:
        return _at_zero(function, field, points, at_normals, jnp.zeros((), dtype), modules, data, count, values)

    def slope(values: Float[Array, "n C"], direction: Float[Array, "n C"]) -> Float[Array, "n c"]:
        return jax.jvp(of_unknown, (values,), (direction,))[1]

    error = ValueError(
        f"jno.fem: the condition {term.expression!r} must be affine in {field.field.name!r} with one constant factor: "
        "u(xb, yb) - g for all components, or u(xb, yb)[i] - g for one"
    )
    if not unread_inputs(slope, (unknown, unknown))[0]:
        raise error
    components = field.field.components
    compiled = jax.jit(slope)
    directions = np.eye(components, dtype=dtype)
    slopes = np.stack([compiled(unknown, np.broadcast_to(row, unknown.shape)) for row in directions])
    # slopes[i, n, c]: entry c of the expression at node n by component i
    if np.ptp(slopes, axis=1).max() > 1e-6 * np.abs(slopes).max():
        raise error
    shape = _factor(slopes[:, 0])
    if shape is None:
        raise error
    return shape


def _factor(matrix: Float[np.ndarray, "C c"]) -> tuple[float, int | None] | None:
    """The number of which a derivative by all components (entry by component) is a multiple, or by one; else None."""
    components, count = matrix.shape
    rounding = 1e-9 * np.abs(matrix).max()
    factor = float(matrix[0, 0])
    if count == components and factor != 0 and np.allclose(matrix, factor * np.eye(components), atol=rounding):
        return factor, None
    nonzero = np.flatnonzero(np.abs(matrix[:, 0]) > rounding)
    if count != 1 or len(nonzero) != 1:
        return None
    return float(matrix[nonzero[0], 0]), int(nonzero[0])


def _width(
    function: PointFunction,
    points: Float[Array, "n D"],
    normals: Float[Array, "n D"] | None,
    unknown: Float[Array, "n C"],
    modules: Mapping[int, Any],
    data: Mapping[str, Any],
) -> int:
    """Number of entries of the expression at each node."""

    def evaluate(values: Float[Array, "n C"]) -> Any:
        table = {f: _SameForAll(values) for f in function.fields}
        return function(points, normals, jnp.zeros((), points.dtype), table, modules, data).array

    shape = jax.eval_shape(evaluate, unknown).shape
    return int(shape[-1]) if len(shape) > 1 else 1
