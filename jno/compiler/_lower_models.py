"""Rules of network calls and of derivatives with respect to network parameters."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree, Shaped

from jno.architectures import checked_mask, constrained, trainable_filter
from jno.trace import Literal, ModelCall, NetworkGradient, Node
from jno.utils import get_logger

from ._contract import contract_products
from ._rules import lowers
from ._scope import Bindings, NotPointwiseError, Scope
from ._types import Key
from ._value import Value, point_count

_MODEL_STREAM = 1 << 20
"""First random stream of networks (dropout), apart from those of noise (0, 1, …)."""


@lowers(ModelCall)
def model_call(node: ModelCall, scope: Scope, *arguments: Value) -> Value:
    """The module on whole arrays; time and other one-point arguments are repeated over the points."""
    module = constrained(scope.setting.modules[node.model.layer_id], node.model)
    count = point_count(arguments)
    inputs = [
        _number(argument, count, arguments) if _is_number(child) and count else _input(argument, count)
        for child, argument in zip(node.args, arguments, strict=True)
    ]
    dtype = node.model.controls.dtype
    if dtype is not None:
        inputs = [a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.inexact) else a for a in inputs]
    stream = _MODEL_STREAM + scope.setting.model_streams[node.model.layer_id]
    key = None if scope.setting.key is None else jax.random.fold_in(scope.setting.key, stream)
    output = call_module(module, inputs, key, node.model.model_key)
    is_vector = output.ndim == 1 and output.shape[0] > 1
    if is_vector:
        output = output[:, None]
    on_points = count is not None and output.ndim > 0 and output.shape[0] == count
    return Value(output, 0 if on_points else None, column=is_vector and not on_points)


def _is_number(child: Node) -> bool:
    return isinstance(child, Literal) and jnp.ndim(child.value) == 0


def _number(number: Value, count: int, arguments: Sequence[Value]) -> Shaped[Array, "N 1"]:
    """A coordinate that is a number: the same at all points, in the type of the other coordinates."""
    dtype = jnp.result_type(*(argument.array for argument in arguments if argument.point_axis is not None))
    return jnp.broadcast_to(number.array.astype(dtype), (count, 1))


def _input(argument: Value, count: int | None) -> Shaped[Array, "N ..."]:
    array: Array = argument.array
    if array.ndim == 0:
        return array.reshape(1)
    if argument.point_axis != 0 or count is None:
        return array
    if array.ndim == 1:
        array = array[:, None]
    return jnp.broadcast_to(array, (count, *array.shape[1:]))


@runtime_checkable
class Result(Protocol):
    """What pretrained networks such as Poseidon return: the array beside intermediate results."""

    output: Array


def call_module(module: PyTree, inputs: list[Shaped[Array, ...]], key: Key | None, name: str) -> Array:
    """``module(*inputs)``; a module written for single points is mapped over the leading axis, and says so.

    Raises:
        ValueError: the module accepts neither; the message names the shapes it was given.
    """
    keywords = {"key": key} if "key" in inspect.signature(type(module).__call__).parameters else {}

    def on_arrays(*arrays: Array) -> Any:
        result = module(*arrays, **keywords)
        return result.output if isinstance(result, Result) else result

    try:
        jax.eval_shape(on_arrays, *inputs)
        function = on_arrays
    except _shape_errors() as error:
        function = _over_points(on_arrays, inputs, error, name)
    shape = jax.eval_shape(function, *inputs)
    if not isinstance(shape, jax.ShapeDtypeStruct):
        raise TypeError(
            f"{name} returned {type(shape).__name__}; a network must return one array: wrap it in an equinox.Module "
            "that picks one"
        )
    return jnp.asarray(contract_products(function, inputs))  # a parameter may hold an array of NumPy


def _shape_errors() -> tuple[type[Exception], ...]:
    """What modules raise when the shapes of their arguments do not suit them.

    A failed assertion or a `RuntimeError` says that the module is broken, and mapping it over the points would hide
    that; only einops reports shapes by an error of this kind.
    """
    einops = sys.modules.get("einops")
    return (TypeError, ValueError, IndexError, *([] if einops is None else [einops.EinopsError]))


def _over_points(
    function: Callable[..., Any], inputs: list[Shaped[Array, ...]], error: Exception, name: str
) -> Callable[..., Any]:
    mapped = jax.vmap(function)
    try:
        jax.eval_shape(mapped, *inputs)
    except _shape_errors():
        shapes = ", ".join(str(tuple(a.shape)) for a in inputs)
        advice = " (a row of parameters joins the coordinates of every point in jno.np.concat([x, y, row]))"
        row_beside_points = len({a.ndim for a in inputs}) > 1
        raise ValueError(
            f"{name} cannot be applied to arguments of shape {shapes}: {error or type(error).__name__}"
            + (advice if row_beside_points else "")
        ) from error
    get_logger().once(f"{name} takes single points; it is mapped over the points with jax.vmap")
    return mapped


@lowers(NetworkGradient)
def network_gradient(node: NetworkGradient, scope: Scope) -> Value:
    """Jacobian with respect to the selected parameters, flattened in pytree order: ``(N[, D], P)``, or ``(P,)`` for a
    reduced target."""
    layer = node.model.layer_id
    module = scope.setting.modules[layer]
    is_selected = (
        trainable_filter(module) if node.mask is None else checked_mask(module, node.mask, node.model.model_key)
    )
    parameters, frozen_leaves = eqx.partition(module, is_selected)
    value = scope.value(node.target)

    def target(bindings: Bindings, parameters: PyTree) -> Array:
        modules = {**scope.setting.modules, layer: eqx.combine(parameters, frozen_leaves)}
        return scope.detached(bindings, modules).value(node.target).array

    if value.points == 1 or not _is_pointwise(node, scope):
        jacobian = _flat_jacobian(functools.partial(target, scope.bindings), parameters)
        drop = value.point_axis == 0 and value.array.ndim == 2 and value.array.shape[1] == 1
        return dataclasses.replace(value, array=jacobian[:, 0] if drop else jacobian)

    def at_point(point: Bindings) -> Array:
        # One point at a time: the pull-back of one output must not run through all the others.
        return _flat_jacobian(lambda leaves: _drop_scalar(target(point, leaves)[0]), parameters)

    points, axes = _per_point(scope.bindings, value.points)
    return Value(jax.vmap(at_point, in_axes=(axes,))(points), 0, point_set=value.point_set)


def _flat_jacobian(function: Callable[[PyTree], Array], parameters: PyTree) -> Shaped[Array, "... P"]:
    """Derivatives of an array with respect to all parameters along one last axis."""
    jacobian = jax.tree_util.tree_leaves(jax.jacrev(function)(parameters))
    shape = jax.eval_shape(function, parameters).shape
    return jnp.concatenate([leaf.reshape(*shape, math.prod(leaf.shape[len(shape) :])) for leaf in jacobian], axis=-1)


def _is_pointwise(node: NetworkGradient, scope: Scope) -> bool:
    """Whether the target may be evaluated one point at a time: neither its nodes nor its networks couple points."""
    if scope.setting.facts().networks_couple_points(node.target):
        return False
    try:
        scope.pointwise_probe().value(node.target)
    except NotPointwiseError:
        return False
    return True


def _drop_scalar(row: Shaped[Array, ...]) -> Shaped[Array, ...]:
    return row[0] if row.shape == (1,) else row


def _per_point(bindings: Bindings, count: int) -> tuple[Bindings, Bindings]:
    """Bindings with every array over ``count`` points split into one-point arrays, and the axes to map over."""

    def split(table: dict[str, Array]) -> tuple[dict[str, Array], dict[str, int | None]]:
        arrays: dict[str, Array] = {}
        axes: dict[str, int | None] = {}
        for tag, array in table.items():
            mapped = array.ndim > 0 and array.shape[0] == count and count > 1
            arrays[tag] = array[:, None] if mapped else array
            axes[tag] = 0 if mapped else None
        return arrays, axes

    points, point_axes = split(bindings.points)
    tensors, tensor_axes = split(bindings.tensors)
    nearest, nearest_axes = split(bindings.nearest)
    times, weights = dict(bindings.times), dict(bindings.weights)
    return (
        Bindings(points, times, tensors, nearest, weights),
        Bindings(point_axes, dict.fromkeys(times), tensor_axes, nearest_axes, dict.fromkeys(weights)),
    )
