"""Reductions over axes of the per-sample array."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Num

from jno.trace import OPERAND, FunctionCall, Placeholder, build_norm
from jno.utils import FLAG, Kind, checked, is_integer, number, one_of

_DOC = """{summary} over one axis, several, or all entries.

    Axes refer to the per-sample array, ``(N, D)`` for a point expression: ``axis=-1`` reduces the components
    and gives ``(N,)``, ``axis=0`` the points; ``axis=None`` gives one number per sample.

    Args:
        x: expression, number or array.
        axis: an axis, a tuple of axes, or None (default) for all.
        keepdims: keep reduced axes with size one. Default False.

    Returns:
        Node whose ``reduces_axis`` is the (first) axis, and 0 for a reduction of all entries.

    Raises:
        TypeError: ``axis`` is not an integer, tuple of integers or None.

    Example:
        >>> import jno
        >>> jno.np.{name}([1.0, 2.0, 4.0])
        {name}(array(3,))
    """


_AXES = Kind(
    "an integer, a non-empty tuple of integers, or None for all axes",
    lambda value: all(map(is_integer, value if isinstance(value, tuple) else (value,))) and value != (),
    TypeError,
    lambda value: f"axis={value!r}: allowed are an integer, a non-empty tuple of integers, or None for all axes",
)


_ORDER = number() | one_of(math.inf, -math.inf, "fro", "nuc")


def first_axis(axis: Any) -> int:
    """What `FunctionCall.reduces_axis` records: the first reduced axis, 0 (the points) for a full reduction."""
    if axis is None:
        return 0
    return axis[0] if isinstance(axis, tuple) else axis


def _alignment(axis: object) -> str | None:
    return "components" if axis in (-1, (-1,)) else None


def _reduction(function: Callable[..., Any], name: str, summary: str) -> Callable[..., FunctionCall]:
    @checked(name, x=OPERAND, axis=_AXES, keepdims=FLAG)
    def build(x: object, axis: object = None, keepdims: bool = False) -> FunctionCall:
        reduce = partial(function, axis=axis, keepdims=keepdims)
        return FunctionCall(reduce, [x], name, reduces_axis=first_axis(axis), align=_alignment(axis))

    build.__name__ = build.__qualname__ = name
    build.__doc__ = _DOC.format(summary=summary, name=name)
    return build


sum = _reduction(jnp.sum, "sum", "Sum")
mean = _reduction(jnp.mean, "mean", "Arithmetic mean")
median = _reduction(jnp.median, "median", "Median")
std = _reduction(jnp.std, "std", "Standard deviation (divisor: number of entries)")
var = _reduction(jnp.var, "var", "Variance (divisor: number of entries)")
min = _reduction(jnp.min, "min", "Smallest value")
max = _reduction(jnp.max, "max", "Largest value")
prod = _reduction(jnp.prod, "prod", "Product")


@checked(x=OPERAND, ord=_ORDER, axis=_AXES, keepdims=FLAG)
def norm(x: object, ord: object = None, axis: Any = None, keepdims: bool = False) -> FunctionCall:
    r"""Vector or matrix norm; by default the Euclidean (Frobenius) norm :math:`\sqrt{\sum |x_i|^2}`.

    The derivative of the Euclidean norm at zero is taken as zero, not NaN.

    Args:
        x: expression, number or array.
        ord: order as in ``numpy.linalg.norm``. Default None: Euclidean.
        axis: axis of vectors, pair of axes of matrices, or None (default) for all entries. ``axis=-1`` is the
            length of the vector at each point, ``(N,)``.
        keepdims: keep reduced axes with size one. Default False.

    Returns:
        Node; ``reduces_axis`` as in the other reductions.

    Raises:
        TypeError: ``axis`` is not an integer, tuple of integers or None.

    Example:
        >>> import jno
        >>> jno.np.norm([3.0, 4.0])
        norm(array(2,))
    """
    reduce = partial(_norm, ord=ord, axis=axis, keepdims=keepdims)
    return FunctionCall(reduce, [x], "norm", reduces_axis=first_axis(axis), align=_alignment(axis))


@build_norm.register
def _length(vector: Placeholder) -> Placeholder:
    return norm(vector, axis=-1)


def _norm(x: Num[ArrayLike, ...], ord: object, axis: int | Sequence[int] | None, keepdims: bool) -> Float[Array, ...]:
    values = jnp.asarray(x)
    if ord is None:
        return safe_sqrt(jnp.sum(squared_magnitude(values), axis=axis, keepdims=keepdims))
    return jnp.linalg.norm(values, ord=ord, axis=axis, keepdims=keepdims)


def squared_magnitude(x: Num[Array, "*s"]) -> Num[Array, "*s"]:
    """``|x|**2``, real and smooth for complex values too."""
    return jnp.real(x * jnp.conj(x))


def safe_sqrt(x: Num[Array, "*s"]) -> Float[Array, "*s"]:
    """Square root of a non-negative array with derivative 0 instead of infinity at 0."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), jnp.zeros_like(jnp.sqrt(x)))
