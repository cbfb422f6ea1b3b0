"""Regularisation terms of unknown coefficients: nodal fields by weak forms, networks point by point."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jno.symbolic import maximum, sqrt
from jno.trace import (
    Field,
    FieldValue,
    Literal,
    Model,
    ModelCall,
    Placeholder,
    Variable,
    as_node,
    build_regularization,
    walk,
)
from jno.utils import NONNEGATIVE

from ._statement import fem

_OPTIONS = {
    "h1seminorm": (),
    "l2": ("ref",),
    "tv": ("eps",),
    "nonneg": ("strength",),
    "bounded": ("lo", "hi", "strength"),
}
_OTHER_NAMES = {"h1": "h1seminorm", "smooth": "h1seminorm", "tikhonov": "l2", "ridge": "l2"}


@build_regularization.register
def regularization(
    coefficient: ModelCall, kind: object, variables: Sequence[object], options: Mapping[str, Any]
) -> Placeholder:
    """See `jno.trace.ModelCall.regularize`."""
    name = _OTHER_NAMES.get(kind, kind) if isinstance(kind, str) else ""
    if name not in _OPTIONS:
        allowed = ", ".join([*_OPTIONS, *_OTHER_NAMES])
        raise ValueError(f"regularize(kind={kind!r}): allowed are {allowed}")
    unknown = sorted(set(options) - set(_OPTIONS[name]))
    if unknown:
        raise ValueError(f"regularize({kind!r}) has no option {unknown}: allowed are {list(_OPTIONS[name])}")
    options = {option: _checked_option(kind, option, value) for option, value in options.items()}
    if name in ("nonneg", "bounded"):
        return _bounds(coefficient, name, dict(options))
    if coefficient.model.space is None:
        return _of_function(coefficient, name, variables, options)
    return _of_field(coefficient, coefficient.model.space, name, options)


def _checked_option(kind: object, name: str, value: object) -> Any:
    """A number or an expression; ``eps`` is a number.

    Raises:
        TypeError: it is something else.
    """
    if name == "eps":
        NONNEGATIVE.require(value, f"regularize({kind!r}, eps)")
        return float(value)  # type: ignore[arg-type]
    try:
        return as_node(value)
    except TypeError as error:
        raise TypeError(f"regularize({kind!r}, {name}={value!r}): a number or an expression is needed") from error


def _bounds(coefficient: ModelCall, kind: str, options: dict[str, Any]) -> Placeholder:
    """A penalty on what lies outside of an interval: its square, entry by entry."""
    strength = options.pop("strength", 1.0)
    if kind == "nonneg":
        return strength * maximum(-coefficient, 0.0) ** 2
    missing = {"lo", "hi"} - set(options)
    if missing:
        raise ValueError(f"regularize('bounded') needs lo= and hi=; {sorted(missing)} is missing")
    below, above = maximum(options["lo"] - coefficient, 0.0), maximum(coefficient - options["hi"], 0.0)
    return strength * (below**2 + above**2)


def _of_function(
    coefficient: ModelCall, kind: str, variables: Sequence[object], options: Mapping[str, Any]
) -> Placeholder:
    """Of an expression in coordinates, at its points."""
    if kind == "l2":
        raise ValueError("regularize('l2') is FEM-only: of a network write ((net(x, y) - ref)**2).integrate()")
    if not variables:
        raise ValueError(
            f"regularize({kind!r}) of a network needs its spatial variables, net(x, y).regularize(kind, x, y)"
        )
    for variable in variables:
        if not isinstance(variable, Variable):
            raise TypeError(f"regularize({kind!r}): {variable!r} is no variable; spatial variables are needed")
    squared = sum((coefficient.d(variable) ** 2 for variable in variables[1:]), coefficient.d(variables[0]) ** 2)
    return squared if kind == "h1seminorm" else sqrt(squared + options.get("eps", 1e-8))


def _reference(reference: Any, model: Model) -> tuple[Any, Any]:
    """What a nodal field is compared with, at the points of terms and at the nodes.

    Raises:
        ValueError: neither a number nor nodal values of the same field.
    """
    field, values = model.space, None
    if isinstance(reference, Literal):
        values = np.asarray(reference.value)
    elif isinstance(reference, ModelCall) and reference.model.space is not None:
        if reference.model.space is field:
            return reference, reference[:, 0]
    elif not any(isinstance(node, Variable) for node in walk([reference])):
        return reference, reference
    if values is not None and values.dtype.kind in "iuf" and np.all(np.isfinite(values)):
        if values.size == 1:
            return float(values.reshape(())), float(values.reshape(()))
        if values.shape == np.shape(model.module.value):
            known = FieldValue(field, "coefficient", source=values.astype(np.float64))
            return known, values
    raise ValueError(
        f"regularize('l2', ref={reference!r}): a number is needed, an array with one number for every node of the "
        "field, or a parameter of the same symbol; expressions of coordinates are not known at the nodes"
    )


def _of_field(coefficient: ModelCall, field: Field, kind: str, options: Mapping[str, Any]) -> Placeholder:
    """Of a nodal field: a vector, one entry for every node, whose sum is the integral."""
    domain = field.domain
    coordinates = tuple(Variable("interior", (column, column + 1), domain) for column in range(domain.dimension))
    test = FieldValue(dataclasses.replace(field), "test")
    nodal = coefficient[:, 0]
    if kind == "l2":
        at_points, at_nodes = _reference(options.get("ref", as_node(0.0)), coefficient.model)
        return (nodal - at_nodes) * fem([(coefficient - at_points) * test(*coordinates)])
    gradient = [coefficient.d(variable) for variable in coordinates]
    if kind == "tv":
        squared = sum((part**2 for part in gradient[1:]), gradient[0] ** 2)
        # the test functions sum to one
        return fem([sqrt(squared + options.get("eps", 1e-8)) * test(*coordinates)])
    products = [part * test.d(variable) for part, variable in zip(gradient, coordinates, strict=True)]
    return nodal * fem([sum(products[1:], products[0])])
