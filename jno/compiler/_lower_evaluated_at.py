"""Rule of expressions at given coordinates."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from jno.trace import EvaluatedAt

from ._rules import lowers
from ._scope import Scope
from ._value import Value, as_columns, common_point_set


@lowers(EvaluatedAt)
def evaluated_at(node: EvaluatedAt, scope: Scope) -> Value:
    """The target in a scope that binds the alias to the values of the coordinates."""
    coordinates = scope.setting.pairings.paired(scope.values(node.coordinates))
    columns, _ = as_columns(coordinates)
    bound = (*scope.bindings.points.values(), *scope.bindings.times.values())
    dtype = jnp.result_type(*(array.dtype for array in bound)) if bound else jnp.result_type(float)
    if node.axis == "temporal":
        return scope.rebind(times={node.tag: columns[0].astype(dtype)}).value(node.target)
    points = jnp.concatenate(columns, axis=1).astype(dtype)
    value = scope.rebind(points={node.tag: points}).value(node.target)
    return dataclasses.replace(value, point_set=common_point_set([value, *coordinates]))
