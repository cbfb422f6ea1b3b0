"""Rules of the leaves."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jno.trace import AdaptiveWeight, Bound, Constant, FieldValue, Lag, Literal, Noise, TensorTag, Variable, WeakValue

from ._graph import weights_key
from ._pairing import ANY
from ._rules import lowers
from ._scope import Channel, Scope
from ._value import Value


@lowers(Variable)
def variable(node: Variable, scope: Scope) -> Value:
    """Columns of the tag's points ``(N, d)``; the time of the level ``(1, 1)``, a value over one point."""
    if not node.at_points:
        return Value(_bound(scope.bindings.times, node.tag), 0, point_set=ANY)
    start, stop = node.dim
    columns = _bound(scope.bindings.points, node.tag)[:, start:stop]
    return Value(columns, 0, point_set=scope.setting.pairings.point_set(node))


@lowers(TensorTag)
def tensor_tag(node: TensorTag, scope: Scope) -> Value:
    """The sample's row of the data, or one entry of its last axis."""
    row = _bound(scope.bindings.tensors, node.tag)
    if node.dim_index is not None:
        row = row[..., node.dim_index : node.dim_index + 1]
    return Value(row)


@lowers(Literal, Constant)
def literal(node: Literal | Constant, scope: Scope) -> Value:
    """Python numbers stay weakly typed, so they never promote; arrays take JAX's default precision."""
    return Value(jnp.asarray(node.value))


@lowers(AdaptiveWeight)
def adaptive_weight(node: AdaptiveWeight, scope: Scope) -> Value:
    """A number that training computed before."""
    return Value(jax.lax.stop_gradient(scope.bindings.weights[weights_key(node)[1]][node.index]))


@lowers(Noise)
def noise(node: Noise, scope: Scope) -> Value:
    """A draw of shape ``(N, ndim)``, zero without a key."""
    stream = scope.setting.noise_streams[id(node)]
    params = dict(node.params)
    count = 1 if stream.tag is None else _bound(scope.bindings.points, stream.tag).shape[0]
    shape = (count, int(params.pop("ndim")))
    if scope.setting.key is None:
        return Value(jnp.zeros(shape), 0, point_set=ANY)
    key = jax.random.fold_in(scope.setting.key, stream.number)
    return Value(_DISTRIBUTIONS[node.distribution](key, shape, params), 0, point_set=ANY)


_DISTRIBUTIONS: dict[str, Any] = {
    "gaussian": lambda key, shape, p: p["std"] * jax.random.normal(key, shape),
    "uniform": lambda key, shape, p: jax.random.uniform(key, shape, minval=p["low"], maxval=p["high"]),
    # The Laplace scale b gives the standard deviation b·√2.
    "laplace": lambda key, shape, p: p["std"] / np.sqrt(2.0) * jax.random.laplace(key, shape),
}


@lowers(Bound)
def bound(node: Bound, scope: Scope, target: Value) -> Value:
    """The value of what has named coordinates."""
    return target


@lowers(FieldValue)
def field_value(node: FieldValue, scope: Scope, *variables: Value) -> Value:
    """The value of a field at the quadrature points; derivative passes read its tabulated derivatives instead."""
    if any(scope.differentiates(variable.tag) for variable in node.variables):
        raise ValueError(
            f"a derivative of the field {node.field.name!r} has a scheme of its own: derivatives of fields in weak "
            "forms are those of the elements; leave scheme= and the configured AD mode out"
        )
    return scope.tabulated(node, Channel())


@lowers(Lag)
def lagged(node: Lag, scope: Scope, target: Value) -> Value:
    """The same value, without a derivative in a linearisation."""
    if not scope.setting.lags:
        return target
    return dataclasses.replace(target, array=jax.lax.stop_gradient(target.array))


@lowers(WeakValue)
def weak_value(node: WeakValue, scope: Scope, *data: Value) -> Value:
    """What the weak problem computes with the scope's modules; it has no points."""
    values = {leaf.tag: value.array for leaf, value in zip(node.data, data, strict=True)}
    return Value(jnp.asarray(node.problem.value(scope.setting.modules, values)))


def _bound(table: dict[str, Any], tag: str) -> Any:
    if tag not in table:
        raise KeyError(f"tag {tag!r} is not in the domain's context; it has {sorted(table)}")
    return table[tag]
