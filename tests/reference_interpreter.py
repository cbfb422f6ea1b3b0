"""A second, independent meaning of expressions: evaluate the trace directly, derivatives by ``jax.jvp``.

Slow and simple on purpose: no planning, no sharing between derivatives.  A derivative shifts the coordinates of all
points together and differentiates with respect to the shift, which is the point-wise derivative of any expression
that does not couple points.  Schemes are ignored (derivatives are exact); integrals, noise and parameter gradients
are not covered.

An array runs over the points if its leading size is the number of points: choose a number (7, 11) that is no other
size in the problem.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jno import trace

TIME = "__time__"


@dataclasses.dataclass(frozen=True)
class Environment:
    """Point sets ``tag -> (N, D)`` (normals under ``n_<tag>``), ``(1, 1)`` time, and tensor data by tag."""

    points: Mapping[str, Any]
    time: Any = None
    tensors: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def counts(self) -> set[int]:
        """Numbers of points of the point sets."""
        return {array.shape[0] for array in self.points.values()}

    def moved(self, variable: trace.Variable, step: Any) -> Environment:
        """The points (or the time) shifted along a variable; along the normals for a normal vector."""
        if variable.axis == "temporal":
            return dataclasses.replace(self, time=self.time + step)
        if variable.tag.startswith("n_") and variable.size > 1:
            tag = variable.tag.removeprefix("n_")
            first, last = variable.dim
            shifted = self.points[tag] + step * self.points[variable.tag][:, first:last]
        else:
            assert variable.size == 1, f"{variable!r} is no coordinate"
            tag = variable.tag
            shifted = self.points[tag].at[:, variable.dim[0]].add(step)
        return dataclasses.replace(self, points={**self.points, tag: shifted})


def evaluate(
    expression: Any,
    points: Mapping[str, Any],
    time: float | None = None,
    tensors: Mapping[str, Any] | None = None,
) -> jax.Array:
    """Value of ``expression`` on one sample at one time.

    Args:
        expression: node of the trace.
        points: ``(N, D)`` coordinates of each tag; a tag ``n_<tag>`` holds the normals of ``<tag>``.
        time: the current time.
        tensors: per-sample arrays of tensor tags.
    """
    environment = Environment(
        {tag: jnp.asarray(array) for tag, array in points.items()},
        None if time is None else jnp.full((1, 1), time),
        {tag: jnp.asarray(array) for tag, array in (tensors or {}).items()},
    )
    return _value(expression, environment)


def _value(node: Any, environment: Environment) -> jax.Array:
    return _RULES[type(node)](node, environment)


def _along(target: Any, variable: trace.Variable, environment: Environment) -> jax.Array:
    """Derivative of ``target`` along one variable."""
    return _derivative(lambda moved: _value(target, moved), variable, environment)


def _derivative(
    function: Callable[[Environment], jax.Array], variable: trace.Variable, environment: Environment
) -> jax.Array:
    moving = jnp.zeros(()) if variable.axis == "temporal" else jnp.zeros((), _coordinate_dtype(environment))
    value, tangent = jax.jvp(lambda step: function(environment.moved(variable, step)), (moving,), (moving + 1,))
    return jnp.zeros(value.shape) if tangent.dtype == jax.dtypes.float0 else tangent


def _coordinate_dtype(environment: Environment) -> Any:
    return jnp.result_type(*environment.points.values())


def _stacked(parts: Sequence[jax.Array], axes: int) -> jax.Array:
    """Derivatives as new last axes; the single component of a scalar makes room for them."""
    joined = jnp.stack(parts, axis=-1)
    component = joined.ndim - axes - 1
    return joined.squeeze(component) if component > 0 and joined.shape[component] == 1 else joined


# --- leaves ---------------------------------------------------------------------------------------------------
def _variable(node: trace.Variable, environment: Environment) -> jax.Array:
    if node.axis == "temporal":
        assert environment.time is not None, "the expression needs a time"
        return environment.time
    return environment.points[node.tag][:, node.dim[0] : node.dim[1]]


def _tensor(node: trace.TensorTag, environment: Environment) -> jax.Array:
    array = environment.tensors[node.tag]
    return array if node.dim_index is None else array[..., node.dim_index : node.dim_index + 1]


# --- arithmetic -----------------------------------------------------------------------------------------------
def _runs_over_points(array: jax.Array, environment: Environment) -> bool:
    return array.ndim >= 1 and (array.shape[0] in environment.counts or (array.ndim >= 2 and array.shape[0] == 1))


def _broadcast(arrays: Sequence[jax.Array], environment: Environment) -> list[jax.Array]:
    """Trailing axes of size one where an operand with points has fewer axes than another one."""
    over_points = [_runs_over_points(array, environment) for array in arrays]
    if not any(over_points):
        return list(arrays)
    rank = max(array.ndim for array, runs in zip(arrays, over_points, strict=True) if runs)
    if any(array.ndim > 0 for array, runs in zip(arrays, over_points, strict=True) if not runs):
        rank = max(rank, 2)
    return [
        array.reshape(array.shape + (1,) * (rank - array.ndim)) if runs else array
        for array, runs in zip(arrays, over_points, strict=True)
    ]


def _columns(arrays: Sequence[jax.Array], environment: Environment) -> list[jax.Array]:
    """Every operand as ``(rows, d)``; single rows are repeated."""
    flat = [array.reshape(array.shape + (1,) * max(2 - array.ndim, 0)) for array in arrays]
    flat = [array.reshape(1, 1) if array.size == 1 else array for array in flat]
    rows = max(array.shape[0] for array in flat)
    return [jnp.broadcast_to(array, (rows, *array.shape[1:])) for array in flat]


_ALIGN: dict[str | None, Callable[..., Sequence[jax.Array]]] = {
    None: lambda arrays, environment: arrays,
    "broadcast": _broadcast,
    "columns": _columns,
    "components": lambda arrays, environment: arrays,
    "pair": lambda arrays, environment: arrays,
}

_BINARY: dict[str, Callable[..., jax.Array]] = {
    "+": jnp.add,
    "-": jnp.subtract,
    "*": jnp.multiply,
    "/": jnp.divide,
    "**": jnp.power,
    "<": jnp.less,
    "<=": jnp.less_equal,
    ">": jnp.greater,
    ">=": jnp.greater_equal,
    "==": jnp.equal,
    "!=": jnp.not_equal,
    "&": jnp.bitwise_and,
    "|": jnp.bitwise_or,
}

_UNARY: dict[str, Callable[..., jax.Array]] = {
    "negate": jnp.negative,
    "abs": jnp.abs,
    "transpose": jnp.transpose,
    "real": jnp.real,
    "imag": jnp.imag,
    "stop_gradient": jax.lax.stop_gradient,
    "~": jnp.invert,
}

_REDUCTIONS: dict[str, Callable[..., jax.Array]] = {
    "mean": jnp.mean,
    "sum": jnp.sum,
    "min": jnp.min,
    "max": jnp.max,
    "std": jnp.std,
    "mse": lambda x: jnp.mean(jnp.abs(x) ** 2),
    "mae": lambda x: jnp.mean(jnp.abs(x)),
}


def _binary(node: trace.BinaryOp, environment: Environment) -> jax.Array:
    left, right = _value(node.left, environment), _value(node.right, environment)
    if node.op == "@":
        return left @ right
    return _BINARY[node.op](*_broadcast([left, right], environment))


def _function(node: trace.FunctionCall, environment: Environment) -> jax.Array:
    arrays = [_value(argument, environment) for argument in node.args]
    return jnp.asarray(node.fn(*_ALIGN[node.align](arrays, environment)))


def _model(node: trace.ModelCall, environment: Environment) -> jax.Array:
    arrays = [_value(argument, environment) for argument in node.args]
    result = jnp.asarray(node.model.module(*(_columns(arrays, environment) if arrays else ())))
    return result[:, None] if result.ndim == 1 and result.size > 1 else result


# --- derivatives ----------------------------------------------------------------------------------------------
def _jacobian(node: trace.Jacobian, environment: Environment) -> jax.Array:
    parts = [_along(node.target, variable, environment) for variable in node.variables]
    return parts[0] if len(parts) == 1 else _stacked(parts, 1)


def _hessian(node: trace.Hessian, environment: Environment) -> jax.Array:
    def second(v: trace.Variable, w: trace.Variable) -> jax.Array:
        return _derivative(lambda moved: _along(node.target, w, moved), v, environment)

    if node.trace:
        return sum((second(v, v) for v in node.variables[1:]), second(node.variables[0], node.variables[0]))
    rows = [jnp.stack([second(v, w) for w in node.variables], axis=-1) for v in node.variables]
    joined = jnp.stack(rows, axis=-2)
    component = joined.ndim - 3
    return joined.squeeze(component) if component > 0 and joined.shape[component] == 1 else joined


_RULES: dict[type, Callable[[Any, Environment], jax.Array]] = {
    trace.Variable: _variable,
    trace.TensorTag: _tensor,
    trace.Literal: lambda node, environment: jnp.asarray(node.value),
    trace.Constant: lambda node, environment: jnp.asarray(node.value),
    trace.BinaryOp: _binary,
    trace.UnaryOp: lambda node, environment: _UNARY[node.op](_value(node.target, environment)),
    trace.Reduction: lambda node, environment: _REDUCTIONS[node.op](_value(node.target, environment)),
    trace.GetItem: lambda node, environment: _value(node.target, environment)[node.index],
    trace.Reshape: lambda node, environment: _value(node.target, environment).reshape(node.new_shape),
    trace.FunctionCall: _function,
    trace.ModelCall: _model,
    trace.Jacobian: _jacobian,
    trace.Hessian: _hessian,
    trace.Print: lambda node, environment: _value(node.target, environment),
    trace.Tracker: lambda node, environment: _value(node.target, environment),
}
