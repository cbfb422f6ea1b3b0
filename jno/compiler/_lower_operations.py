"""Rules of arithmetic, indexing, reductions and wrapped functions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from jno.trace import BinaryOp, FunctionCall, GetItem, Literal, Print, Reduction, Reshape, Tracker, UnaryOp

from ._pairing import ANY
from ._rules import lowers
from ._scope import Scope
from ._types import AnyArray
from ._value import AlignmentError, Value, align, as_columns, point_count, result_axis

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&": jnp.logical_and,
    "|": jnp.logical_or,
}

UNARY: dict[str, Callable[[Any], Any]] = {
    "negate": operator.neg,
    "abs": jnp.abs,
    "real": jnp.real,
    "imag": jnp.imag,
    "stop_gradient": jax.lax.stop_gradient,
    "~": jnp.logical_not,
}

LOGIC = ("&", "|", "~")

REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "mean": jnp.mean,
    "sum": jnp.sum,
    "min": jnp.min,
    "max": jnp.max,
    "std": jnp.std,
    "mse": lambda a: jnp.mean(jnp.real(a * jnp.conj(a)) if jnp.iscomplexobj(a) else jnp.square(a)),
    "mae": lambda a: jnp.mean(jnp.abs(a)),
}


@lowers(BinaryOp)
def binary(node: BinaryOp, scope: Scope, left: Value, right: Value) -> Value:
    """Element-wise operation after alignment on the point axis; ``@`` as NumPy's matmul."""
    if node.op == "@":
        try:
            product = left.array @ right.array
        except TypeError as error:
            raise AlignmentError(str(error)) from error
        return Value(product, result_axis(product, [left] if left.array.ndim > 1 else []))
    if node.op == "**":
        return _power(node, left, right)
    _check_conditions(node, left, right)
    (a, b), axis = align([left, right])
    return Value(BINARY[node.op](a, b), axis)


def _power(node: BinaryOp, base: Value, exponent: Value) -> Value:
    # A Python integer exponent stays static: x**2 becomes x*x, differentiable at negative x.
    static = node.right.value if isinstance(node.right, Literal) else None
    if isinstance(static, int) and not isinstance(static, bool):
        return Value(base.array**static, base.point_axis)
    (a, b), axis = align([base, exponent])
    return Value(a**b, axis)


def _check_conditions(node: BinaryOp | UnaryOp, *operands: Value) -> None:
    """Logic is that of conditions: of numbers it could mean bits, or whether they are zero."""
    wrong = [str(value.array.dtype) for value in operands if value.array.dtype != bool]
    if node.op in LOGIC and wrong:
        raise AlignmentError(
            f"{node.op} combines conditions such as x < 0.5, not values of type {', '.join(wrong)}; compare first, "
            "with each comparison in brackets: (a < x) & (x < b)"
        )


@lowers(UnaryOp)
def unary(node: UnaryOp, scope: Scope, target: Value) -> Value:
    """Element-wise; the transpose moves the point axis."""
    if node.op == "transpose":
        axis = None if target.point_axis is None else target.array.ndim - 1 - target.point_axis
        return Value(target.array.T, axis)
    _check_conditions(node, target)
    return Value(UNARY[node.op](target.array), target.point_axis)


@lowers(Reduction)
def reduction(node: Reduction, scope: Scope, target: Value) -> Value:
    """A scalar."""
    return Value(REDUCTIONS[node.op](target.array))


@lowers(GetItem)
def get_item(node: GetItem, scope: Scope, target: Value) -> Value:
    """NumPy indexing; follows the point axis through full slices and new axes."""
    try:
        array = target.array[node.index]
    except (IndexError, TypeError) as error:
        raise ValueError(
            f"index {node.index!r} does not fit an array of shape {tuple(target.array.shape)}: {error}"
        ) from error
    axis, keeps_all = _axis_after_index(target, node.index)
    if not keeps_all:
        scope.refuse_coupling(node, array.shape)
    return Value(array, axis, point_set=target.point_set if keeps_all else ANY)


def _axis_after_index(target: Value, index: tuple[Any, ...]) -> tuple[int | None, bool]:
    """Where the point axis is after indexing, and whether it still holds every point in its place."""
    if target.point_axis is None:
        return None, True
    consumed = sum(entry is not None and entry is not Ellipsis for entry in index)
    expanded: list[Any] = []
    for entry in index if any(entry is Ellipsis for entry in index) else (*index, Ellipsis):
        expanded.extend([slice(None)] * (target.array.ndim - consumed) if entry is Ellipsis else [entry])
    source = position = 0
    for entry in expanded:
        if entry is None:
            position += 1
            continue
        if source == target.point_axis:
            full = isinstance(entry, slice) and entry == slice(None)
            # A slice or list of points still runs over points: it aligns with other slices of that length.
            return None if isinstance(entry, int | np.integer) else position, full
        source += 1
        position += isinstance(entry, slice)
    return None, False


@lowers(Reshape)
def reshape(node: Reshape, scope: Scope, target: Value) -> Value:
    """Reshape; the leading point axis survives when its length does."""
    array = target.array.reshape(node.new_shape)
    return Value(array, result_axis(array, [target]))


@lowers(FunctionCall)
def function_call(node: FunctionCall, scope: Scope, *arguments: Value) -> Value:
    """The wrapped function on arrays, prepared as the node asks."""
    keywords = {"key": scope.setting.key} if node.takes_key else {}
    if node.align == "broadcast":
        arrays, axis = align(arguments)
        result = jnp.asarray(node.fn(*arrays, **keywords))
        return Value(result, axis if _keeps_axis(node, axis, arrays, result) else None)
    if node.align == "table":
        return _looked_up(node, arguments)
    if node.align == "pair":
        return _paired(node, arguments)
    if node.align == "columns":
        arrays, axis = as_columns(arguments)
        return Value(node.fn(*arrays, **keywords), axis)
    if node.align == "components":
        (target,) = arguments
        result = jnp.asarray(node.fn(target.array, **keywords))
        return Value(result, target.point_axis if target.point_axis != target.array.ndim - 1 else None)
    result = jnp.asarray(node.fn(*(argument.array for argument in arguments), **keywords))
    leading_rank = arguments[0].array.ndim if arguments else 0
    reduces_points = node.reduces_axis is not None and node.reduces_axis in (0, -leading_rank)
    return Value(result, None if reduces_points else result_axis(result, arguments))


def _paired(node: FunctionCall, arguments: Sequence[Value]) -> Value:
    point_count(arguments)  # refuses operands on different points
    at_points = tuple(argument.point_axis == 0 for argument in arguments)
    try:
        result = node.fn(*(argument.array for argument in arguments), at_points=at_points)
    except ValueError as error:
        raise AlignmentError(str(error)) from error
    return Value(result, result_axis(result, arguments))


def _looked_up(node: FunctionCall, arguments: Sequence[Value]) -> Value:
    *operands, table = arguments
    if table.point_axis is not None:
        raise AlignmentError("the table that values are looked up in must not depend on points or time")
    arrays, axis = align(operands)
    return Value(node.fn(*arrays, table.array), axis)


def _keeps_axis(node: FunctionCall, axis: int | None, arrays: list[Any], result: Shaped[Array, ...]) -> bool:
    """Whether the point axis survives a function that reduces ``reduces_axis`` and the axes after it, if any."""
    if axis is None or result.ndim <= axis:
        return False
    if node.reduces_axis is None:
        return True
    rank = max(array.ndim for array in arrays)
    return axis < (node.reduces_axis if node.reduces_axis >= 0 else rank + node.reduces_axis)


@lowers(Tracker)
def tracker(node: Tracker, scope: Scope, target: Value) -> Value:
    """The tracked value itself."""
    return target


@lowers(Print)
def print_value(node: Print, scope: Scope, target: Value) -> Value:
    """Identity that prints when the compiled program runs."""
    label = node.label or "jno"

    def show(array: AnyArray) -> None:
        print(f"{label}: {_DESCRIPTIONS[node.what](array) if isinstance(node.what, str) else node.what(array)}")

    jax.debug.callback(show, target.array)
    return target


def _stats(a: AnyArray) -> str:
    return f"min={a.min():.6g} max={a.max():.6g} mean={a.mean():.6g} std={a.std():.6g}"


_DESCRIPTIONS: dict[str, Callable[[Any], str]] = {
    "shape": lambda a: f"shape={a.shape}",
    "stats": _stats,
    "value": lambda a: f"{a}",
    "all": lambda a: f"shape={a.shape} {_stats(a)}\n{a}",
}
