"""Shape changes, concatenation and matrix products of per-sample arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Shaped

from jno.trace import OPERAND, FunctionCall, Node, Placeholder, as_node
from jno.utils import Kind, checked, integer, is_integral, sequence

_MOST_AXES = 64  # of an array of NumPy
_SHAPE = Kind(
    "an integer or a sequence of integers of at least -1",
    lambda value: all(is_integral(size, -1) for size in (value if isinstance(value, list | tuple) else (value,))),
    TypeError,
)
_AXES = Kind(
    "an integer or a tuple of integers",
    lambda value: all(
        is_integral(axis) and abs(axis) <= _MOST_AXES for axis in (value if isinstance(value, tuple) else (value,))
    ),
    TypeError,
)


@checked(x=OPERAND, shape=_SHAPE)
def reshape(x: object, shape: Any) -> Placeholder:
    """Reshape of the per-sample array (``(N, D)`` for a point expression).

    Args:
        x: expression, number or array.
        shape: an integer or a sequence of integers; one of them may be -1.

    Returns:
        Node of the given shape.

    Example:
        >>> import jno
        >>> jno.np.reshape([1.0, 2.0, 3.0, 4.0], (2, 2))
        reshape(2, 2)(array(4,))
    """
    return as_node(x).reshape((shape,) if isinstance(shape, int) else tuple(shape))


@checked(x=OPERAND, axis=_AXES)
def squeeze(x: object, axis: Any = None) -> FunctionCall:
    """Drop axes of size one of the per-sample array.

    Args:
        x: expression, number or array.
        axis: axis or tuple of axes; default None drops every axis of size one, the points' too if there is
            one point.

    Returns:
        Node of lower rank.

    Example:
        >>> import jno
        >>> jno.np.squeeze([[1.0], [2.0]], axis=-1)
        squeeze(array(2, 1))
    """
    return FunctionCall(partial(jnp.squeeze, axis=axis), [x], "squeeze")


@checked(x=OPERAND, axis=_AXES)
def expand_dims(x: object, axis: Any) -> FunctionCall:
    """Insert axes of size one into the per-sample array.

    Args:
        x: expression, number or array.
        axis: position, or tuple of positions, of the new axis in the result.

    Returns:
        Node of higher rank.

    Example:
        >>> import jno
        >>> jno.np.expand_dims([1.0, 2.0], -1)
        expand_dims(array(2,))
    """
    return FunctionCall(partial(jnp.expand_dims, axis=axis), [x], "expand_dims")


@checked(x=OPERAND, axes=sequence(integer(), "a list of integers, the new order of the axes"))
def transpose(x: object, axes: Any = None) -> Placeholder:
    """Permute the axes of the per-sample array.

    Args:
        x: expression, number or array.
        axes: new order of the axes; default None reverses them, as ``x.T`` does. Matrices at points ``(N, k,
            k)`` are transposed by ``(0, 2, 1)``.

    Returns:
        Node with permuted axes.

    Example:
        >>> import jno
        >>> jno.np.transpose([[1.0, 2.0]])
        transpose(array(1, 2))
    """
    if axes is None:
        return as_node(x).T
    return FunctionCall(partial(jnp.transpose, axes=tuple(axes)), [x], "transpose")


@checked(axis=integer())
def concat(items: object, axis: int = -1) -> FunctionCall:
    """Join expressions along their last axis: the way to build a vector field or a network input.

    Every item becomes ``(N, d)``: numbers and ``(N,)`` values get a trailing axis, single rows (time,
    numbers) are repeated for all points.

    Args:
        items: non-empty list of expressions, numbers or arrays.
        axis: -1 (default) or 1, which both mean the last axis. For a new axis use `stack`.

    Returns:
        Node ``(N, d1 + d2 + ...)``.

    Raises:
        TypeError: ``items`` is a single expression.
        ValueError: no items, or another axis.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.concat([x, y])
        concat(Var(interior[[0, 1]]), Var(interior[[1, 2]]))
    """
    if axis not in (-1, 1):
        raise ValueError(f"concat(axis={axis!r}): it is always the last axis (-1 or 1); use stack for another one")
    return FunctionCall(_join_columns, _listed(items, "concat"), "concat", align="columns")


concatenate = concat


def vector(*components: object) -> FunctionCall:
    """Vector field ``(N, D)`` from its components: ``vector(u, v)``, or ``vector([u, v])``.

    Args:
        *components: scalar expressions or numbers, or one list of them.

    Returns:
        Node ``(N, D)``.

    Raises:
        ValueError: no components.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.vector(-y, x)
        vector(negate(…), Var(interior[[0, 1]]))
    """
    single_list = len(components) == 1 and isinstance(components[0], list | tuple)
    items = components[0] if single_list else components
    return FunctionCall(_join_columns, _listed(items, "vector"), "vector", align="columns")


def stack(items: object, axis: int = 0) -> FunctionCall:
    """Join expressions along a new axis of the per-sample array.

    Items are aligned on their points and broadcast to a common shape first, so time and numbers may be mixed
    in.

    Args:
        items: non-empty list of expressions, numbers or arrays.
        axis: position of the new axis in the result. Default 0, before the points.

    Returns:
        Node with one axis more: for ``k`` items ``(N, D)`` it is ``(k, N, D)`` with ``axis=0`` and ``(N, D,
        k)`` with ``axis=-1``.

    Raises:
        TypeError: ``items`` is a single expression or ``axis`` is not an integer.
        ValueError: no items.

    Example:
        >>> import jno
        >>> jno.np.stack([[1.0, 2.0], [3.0, 4.0]], axis=-1)
        stack(array(2,), array(2,))
    """
    if isinstance(axis, bool) or not isinstance(axis, int) or abs(axis) > _MOST_AXES:
        raise TypeError(f"stack(axis={axis!r}): the axis must be an integer, that of an array")
    return FunctionCall(partial(_stack, axis=axis), _listed(items, "stack"), "stack", align="broadcast")


@checked(x=OPERAND, y=OPERAND)
def dot(x: object, y: object) -> FunctionCall:
    """Product of vectors and matrices: at each point where both are fields, else ``numpy.dot``.

    Of two vector fields it is the scalar product, ``dot(u.grad(x, y), jno.np.vector(a, b))``; a field of matrices and
    one of vectors are multiplied at each point. A constant matrix multiplies the vectors of a field from the left,
    ``(K, D)`` with ``(N, D)``, or from the right, ``(N, D)`` with ``(D, K)``.

    Args:
        x: expression or array.
        y: expression or array.

    Returns:
        Node, ``(N,)`` for two vector fields (in arithmetic it acts as ``(N, 1)``) and ``(N, K)`` with a matrix.

    Raises:
        ValueError: (when compiled) sizes that do not fit, or fit in two ways.

    Example:
        >>> import jno
        >>> jno.np.dot([1.0, 2.0], [3.0, 4.0])
        dot(array(2,), array(2,))
    """
    return FunctionCall(_dot, [x, y], "dot", align="pair")


@checked(x=OPERAND, y=OPERAND)
def matmul(x: object, y: object) -> FunctionCall:
    """Matrix product of the per-sample arrays; ``(N, k, m)`` and ``(N, m, l)`` multiply per point.

    Args:
        x: expression or array.
        y: expression or array.

    Returns:
        Node as ``numpy.matmul`` shapes it.

    Raises:
        ValueError: (when compiled) sizes that do not fit.

    Example:
        >>> import jno
        >>> jno.np.matmul([[1.0, 2.0]], [[3.0], [4.0]])
        matmul(array(1, 2), array(2, 1))
    """
    return FunctionCall(_matmul, [x, y], "matmul")


def _listed(items: Any, name: str) -> Sequence[Any]:
    """``items`` as a sequence of operands; an expression cannot be iterated."""
    argument = "components" if name == "vector" else "items"
    if isinstance(items, Node) or not (isinstance(items, list | tuple) or np.ndim(items)):
        raise TypeError(
            f"{name} takes a list of expressions as its {argument}, e.g. jno.np.{name}([u, v]), got one "
            f"{type(items).__name__}"
        )
    listed = list(items)
    if not listed:
        raise ValueError(f"{name} needs at least one expression, got none as its {argument}")
    for position, item in enumerate(listed):
        OPERAND.require(item, f"{name}({argument}[{position}])")
    return listed


def _join_columns(*columns: Shaped[ArrayLike, ...]) -> Shaped[Array, ...]:
    return jnp.concatenate([jnp.asarray(column) for column in columns], axis=-1)


def _stack(*arrays: Shaped[ArrayLike, ...], axis: int) -> Shaped[Array, ...]:
    return jnp.stack(jnp.broadcast_arrays(*arrays), axis=axis)


def _dot(
    x: Shaped[ArrayLike, ...], y: Shaped[ArrayLike, ...], at_points: tuple[bool, bool] = (False, False)
) -> Shaped[Array, ...]:
    left, right = jnp.asarray(x), jnp.asarray(y)
    fields = (at_points[0] and left.ndim > 1, at_points[1] and right.ndim > 1)
    if all(fields) or (any(fields) and left.shape == right.shape and left.shape[0] != left.shape[-1]):
        terms = _AT_POINTS.get((left.ndim, right.ndim))
        contracted = right.shape[-1] if right.ndim == 2 else right.shape[-2]
        if terms is not None and left.shape[-1] == contracted:
            return jnp.einsum(terms, left, right)
    elif fields[1] and right.ndim == 2 and left.ndim in (1, 2) and left.shape[-1] in right.shape:
        if right.shape[0] == right.shape[1]:
            raise ValueError(
                f"dot: a matrix {left.shape} fits the components and the points of {right.shape}; write jno.np.einsum, "
                "'kd,nd->nk' for each point or 'kn,nd->kd' over the points"
            )
        if left.shape[-1] == right.shape[1]:
            return right @ left.T
        return jnp.dot(left, right)
    elif min(left.ndim, right.ndim) == 0 or left.shape[-1] == right.shape[max(right.ndim - 2, 0)]:
        return jnp.dot(left, right)
    raise ValueError(
        f"dot: sizes of the operands do not fit, shapes {left.shape} and {right.shape}. Vector fields need equally "
        "many components; for other contractions use jno.np.inner or jno.np.einsum"
    )


_AT_POINTS = {(2, 2): "nd,nd->n", (3, 2): "nkd,nd->nk", (2, 3): "nd,ndk->nk", (3, 3): "nkd,ndl->nkl"}
"""Contractions at each point by the ranks of the operands."""


def _matmul(x: Shaped[ArrayLike, ...], y: Shaped[ArrayLike, ...]) -> Shaped[Array, ...]:
    left, right = jnp.asarray(x), jnp.asarray(y)
    try:
        return jnp.matmul(left, right)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"matmul: shapes {left.shape} and {right.shape} do not fit; matrices at points are (N, k, m) and (N, m, "
            "l), and two fields of vectors are multiplied by jno.np.dot"
        ) from error
