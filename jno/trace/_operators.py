"""What the operators of `Placeholder` build, and the checks of their arguments."""

from __future__ import annotations

from typing import Any

from jno.utils import is_integral, quoted, refusal
from jno.utils.ad_mode import validate_scheme

from . import _placeholder as services
from ._bound import bound
from ._derivatives import Hessian, Jacobian, network_gradient
from ._integrals import Integral, IntegralTime
from ._leaves import Variable
from ._model import Model
from ._model_call import ModelCall
from ._monte_carlo import mean_times_measure, refuse_points_with_times
from ._operations import BinaryOp, FunctionCall, GetItem, Print, Reduction, Reshape, Tracker, UnaryOp, binary
from ._placeholder import Placeholder
from ._recall import call_with_variables

PRINT_MODES = ("shape", "stats", "value", "all")


@services.build_binary.register
def _binary(operator: str, left: object, right: object) -> BinaryOp:
    return binary(operator, left, right)


@services.build_unary.register
def _unary(operator: str, target: Placeholder) -> UnaryOp:
    return UnaryOp(operator, target)


@services.build_reduction.register
def _reduction(operator: str, target: Placeholder) -> Reduction:
    return Reduction(operator, target)


@services.build_component.register
def _component(target: Placeholder, index: object) -> GetItem:
    """A NumPy basic index; arrays of integers are allowed, expressions are not."""
    entries = index if isinstance(index, tuple) else (index,)
    if any(isinstance(entry, Placeholder) for entry in entries):
        raise TypeError("an expression cannot be indexed by another expression; use jno.np.where for selections")
    return GetItem(target, entries)


@services.build_reshape.register
def _reshaped(target: Placeholder, shape: tuple[Any, ...]) -> Reshape:
    for size in shape:
        if not is_integral(size, -1):
            raise TypeError(f"reshape(shape={shape!r}): a shape is integers of at least -1, as in u.reshape(-1, 2)")
    return Reshape(target, tuple(int(size) for size in shape))


@services.build_jacobian.register
def _jacobian(target: Placeholder, variables: tuple[object, ...], scheme: str, operator: str) -> Jacobian:
    validate_scheme(scheme, 1)
    return Jacobian(target, _variables(variables, operator), scheme)


@services.build_hessian.register
def _hessian(target: Placeholder, variables: tuple[object, ...], scheme: str, operator: str, *, trace: bool) -> Hessian:
    validate_scheme(scheme, 2)
    return Hessian(target, _variables(variables, operator), scheme, trace=trace)


@services.build_gradient.register
def _gradient(target: Placeholder, arguments: tuple[object, ...], scheme: str) -> Placeholder:
    if len(arguments) == 1 and isinstance(arguments[0], Model | ModelCall):
        return network_gradient(target, arguments[0])
    return _jacobian(target, arguments, scheme, "grad")


@services.build_integral.register
def _integral(target: Placeholder, variable: object) -> Placeholder:
    if variable is None:
        refuse_points_with_times(target)
        by_mean = mean_times_measure(target)
        return Integral(target, None) if by_mean is None else by_mean
    outer = _variable(variable, "integrate")
    if outer.axis == "temporal" and outer.at_points:
        raise ValueError(
            "integrate(t): the points have times of their own, and an integral over time needs levels at which all "
            "points exist: make the domain with time=(t0, t1, n), or with an array of levels"
        )
    refuse_points_with_times(target)
    return IntegralTime(target, outer) if outer.axis == "temporal" else Integral(target, outer)


@services.build_print.register
def _print(target: Placeholder, what: object, label: Any) -> Print:
    if not callable(what) and not (isinstance(what, str) and what in PRINT_MODES):
        raise ValueError(f"print(what={what!r}): allowed are {quoted(PRINT_MODES)} or a callable")
    if label is not None and not isinstance(label, str):
        raise TypeError(refusal("print(label)", label, "a string"))
    return Print(target, what, label)


services.build_tracker.register(Tracker)
services.build_call.register(call_with_variables)
services.build_bound.register(bound)


def _variables(values: tuple[object, ...], operator: str) -> tuple[Variable, ...]:
    if not values:
        raise TypeError(f".{operator}() needs at least one Variable, e.g. u.{operator}(x, y)")
    return tuple(_variable(value, operator) for value in values)


def _variable(value: object, operator: str) -> Variable:
    """A `Variable`; for derivatives also a vector of all components of a normal, as one."""
    normal = None if operator == "integrate" else _normal(value)
    if normal is not None:
        return normal
    if isinstance(value, Variable):
        return value
    if isinstance(value, FunctionCall) and value.align == "columns":
        raise TypeError(
            f".{operator}({value!r}): a direction is the whole normal, jno.np.vector(nx, ny) with the components "
            "in their order, unscaled; the derivative along another vector v is jno.np.inner(u.grad(x, y), v)"
        )
    raise TypeError(
        f".{operator}(...) differentiates or integrates with respect to a Variable from domain.variable(...), "
        f"got {value!r} of type {type(value).__name__}"
    )


def _normal(value: object) -> Variable | None:
    """The normal of which ``jno.np.vector(nx, ny)`` lists all components."""
    if not isinstance(value, FunctionCall) or value.align != "columns":
        return None
    components = [part for part in value.args if isinstance(part, Variable)]
    nx = components[0] if components else None
    if nx is None or not nx.tag.startswith("n_") or nx.domain is None:
        return None
    expected = [(nx.tag, (axis, axis + 1)) for axis in range(nx.domain.dimension)]
    if len(value.args) != len(expected) or [(part.tag, part.dim) for part in components] != expected:
        return None
    return Variable(nx.tag, (0, len(expected)), nx.domain, copy=nx.copy)
