"""Algebra of vectors and matrices at points; the tensor indices are the last axes."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Inexact, Num

from jno.trace import OPERAND, FunctionCall, Literal, Placeholder, build_dot
from jno.utils import FLAG, TEXT, SharedDocumentation, checked

_documented = SharedDocumentation(
    {"x": "matrix expression ``(N, k, k)``, or one matrix ``(k, k)``."},
    returns="Node of the shape of ``x``.",
    raises={"ValueError": "(when compiled) the last two axes are not square."},
)


@_documented
@checked(x=OPERAND)
def trace(x: object) -> FunctionCall:
    r"""Trace :math:`\sum_i A_{ii}` of the matrix at each point.

    Returns:
        Node ``(N,)``; in arithmetic it acts as ``(N, 1)``.

    Example:
        >>> import jno
        >>> jno.np.trace(jno.np.identity(3))
        trace(array(3, 3))
    """
    return FunctionCall(_trace, [x], "trace")


@_documented
@checked(x=OPERAND)
def sym(x: object) -> FunctionCall:
    r"""Symmetric part :math:`\tfrac12 (A + A^T)` of the matrix at each point.

    Example:
        >>> import jno
        >>> jno.np.sym([[0.0, 2.0], [0.0, 0.0]])
        sym(array(2, 2))
    """
    return FunctionCall(symmetric_part, [x], "sym")


@_documented
@checked(x=OPERAND)
def antisym(x: object) -> FunctionCall:
    r"""Antisymmetric part :math:`\tfrac12 (A - A^T)` of the matrix at each point.

    Example:
        >>> import jno
        >>> jno.np.antisym([[0.0, 2.0], [0.0, 0.0]])
        antisym(array(2, 2))
    """
    return FunctionCall(_antisymmetric_part, [x], "antisym")


def identity(n: int) -> Literal:
    """Identity matrix ``(n, n)``; with a scalar field ``p``, ``p[..., None] * identity(n)`` is ``(N, n, n)``.

    Args:
        n: size, at least 1.

    Returns:
        Node ``(n, n)``.

    Raises:
        ValueError: ``n`` is not a positive integer.

    Example:
        >>> import jno
        >>> jno.np.identity(2)
        array(2, 2)
    """
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= _LARGEST:
        raise ValueError(f"identity({n!r}): the size n must be an integer of at least 1 and at most {_LARGEST}")
    return Literal(np.eye(n))


@checked(x=OPERAND, y=OPERAND, keepdims=FLAG)
def inner(x: object, y: object, n_contract: int = 1, keepdims: bool = False) -> FunctionCall:
    r"""Contraction of the last axes at each point: :math:`\sum_i a_i b_i` for vectors.

    For a matrix times a vector at each point use ``einsum("...ij,...j->...i", A, b)``.

    Args:
        x: expression or array, e.g. ``(N, D)``.
        y: expression or array whose last ``n_contract`` axes have the sizes of those of ``x``.
        n_contract: number of contracted axes. Default 1.
        keepdims: keep contracted axes with size one. Default False.

    Returns:
        Node, ``(N,)`` for two vectors, which acts as ``(N, 1)`` in arithmetic (``(N, 1)`` with ``keepdims``).

    Raises:
        ValueError: ``n_contract`` below 1; (when compiled) contracted sizes differ.

    Example:
        >>> import jno
        >>> jno.np.inner([1.0, 2.0], [3.0, 4.0])
        inner(array(2,), array(2,))
    """
    if isinstance(n_contract, bool) or not isinstance(n_contract, int) or n_contract < 1:
        raise ValueError(f"inner(n_contract={n_contract!r}): contract at least one axis, given as an integer")
    contract = partial(_inner, n_contract=n_contract, keepdims=keepdims)
    return FunctionCall(contract, [x, y], "inner", reduces_axis=-n_contract, align="broadcast")


@build_dot.register
def _dot(left: Placeholder, right: object) -> Placeholder:
    return inner(left, right)


@checked(x=OPERAND, y=OPERAND)
def double_dot(x: object, y: object) -> FunctionCall:
    r"""Double contraction :math:`A : B = \sum_{ij} A_{ij} B_{ij}` of the matrices at each point.

    Args:
        x: matrix expression ``(N, k, m)``, or one matrix.
        y: the same.

    Returns:
        Node ``(N,)``; in arithmetic it acts as ``(N, 1)``.

    Raises:
        ValueError: (when compiled) the matrices differ in size.

    Example:
        >>> import jno
        >>> jno.np.double_dot(jno.np.identity(2), [[1.0, 2.0], [3.0, 4.0]])
        double_dot(array(2, 2), array(2, 2))
    """
    contract = partial(_inner, n_contract=2, keepdims=False)
    return FunctionCall(contract, [x, y], "double_dot", reduces_axis=-2, align="broadcast")


@checked(subscripts=TEXT, operands=OPERAND)
def einsum(subscripts: str, *operands: object) -> FunctionCall:
    """Einstein summation over per-sample arrays; write the point axis as an index or as ``...``.

    Args:
        subscripts: as in ``numpy.einsum``, e.g. ``"...ij,...j->...i"``.
        *operands: expressions or arrays, one for each term.

    Returns:
        Node of the shape the subscripts say.

    Raises:
        ValueError: the number of operands is not the number of terms.

    Example:
        >>> import jno
        >>> jno.np.einsum("i,i->", [1.0, 2.0], [3.0, 4.0])
        einsum[i,i->](array(2,), array(2,))
    """
    terms = subscripts.split("->")[0].split(",")
    if len(terms) != len(operands):
        raise ValueError(f"einsum({subscripts!r}) has {len(terms)} terms but {len(operands)} operands were given")
    return FunctionCall(partial(jnp.einsum, subscripts), operands, f"einsum[{subscripts}]")


_LARGEST = 10_000
"""Rows of an identity matrix: beyond, one needs gigabytes."""


def check_square(x: Num[Array, ...], name: str) -> None:
    """Raise unless the last two axes form square matrices."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name} needs square matrices (..., k, k) at each point, got an array of shape {x.shape}")


def symmetric_part(x: Num[ArrayLike, ...]) -> Inexact[Array, ...]:
    """``(A + A^T) / 2`` over the last two axes."""
    matrix = jnp.asarray(x)
    check_square(matrix, "sym")
    return 0.5 * (matrix + jnp.swapaxes(matrix, -1, -2))


def _antisymmetric_part(x: Num[ArrayLike, ...]) -> Inexact[Array, ...]:
    matrix = jnp.asarray(x)
    check_square(matrix, "antisym")
    return 0.5 * (matrix - jnp.swapaxes(matrix, -1, -2))


def _trace(x: Num[ArrayLike, ...]) -> Num[Array, ...]:
    matrix = jnp.asarray(x)
    check_square(matrix, "trace")
    return jnp.trace(matrix, axis1=-2, axis2=-1)


def _inner(x: Num[ArrayLike, ...], y: Num[ArrayLike, ...], n_contract: int, keepdims: bool) -> Num[Array, ...]:
    left, right = jnp.asarray(x), jnp.asarray(y)
    fits = min(left.ndim, right.ndim) >= n_contract
    if not fits or left.shape[-n_contract:] != right.shape[-n_contract:]:
        raise ValueError(
            f"inner: the last {n_contract} axes of both operands must have equal sizes, got shapes "
            f"{left.shape} and {right.shape}"
        )
    return jnp.sum(left * right, axis=tuple(range(-n_contract, 0)), keepdims=keepdims)
