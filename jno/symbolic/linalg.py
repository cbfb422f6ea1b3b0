"""Linear algebra on the matrices at each point (`jno.np.linalg`); the matrix axes are the last two."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Inexact, Num

from jno.trace import OPERAND, FunctionCall
from jno.utils import checked, integer

from ._reductions import norm as norm

_DOC = """{summary} of the matrix at each point.

    Args:
        x: matrix expression ``(N, k, k)``, or one matrix ``(k, k)``.

    Returns:
        Node {shape}.

    Example:
        >>> import jno
        >>> jno.np.linalg.{name}([[2.0, 0.0], [0.0, 3.0]])
        {name}(array(2, 2))
    """


def _matrix_function(
    function: Callable[..., Any], name: str, summary: str, shape: str
) -> Callable[[Any], FunctionCall]:
    @checked(name, x=OPERAND)
    def build(x: object) -> FunctionCall:
        return FunctionCall(function, [x], name)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = _DOC.format(summary=summary, name=name, shape=shape)
    return build


det = _matrix_function(jnp.linalg.det, "det", "Determinant", "``(N,)``")
inv = _matrix_function(jnp.linalg.inv, "inv", "Inverse", "``(N, k, k)``")
pinv = _matrix_function(jnp.linalg.pinv, "pinv", "Moore-Penrose inverse", "``(N, k, k)``")
eigvals = _matrix_function(jnp.linalg.eigvals, "eigvals", "Complex eigenvalues (CPU only)", "``(N, k)``")
eigvalsh = _matrix_function(
    jnp.linalg.eigvalsh, "eigvalsh", "Ascending eigenvalues of the Hermitian part", "``(N, k)``"
)
cholesky = _matrix_function(
    jnp.linalg.cholesky,
    "cholesky",
    "Lower Cholesky factor L, with x = L L^H for positive definite x,",
    "``(N, k, k)``",
)
svdvals = _matrix_function(jnp.linalg.svdvals, "svdvals", "Descending singular values", "``(N, k)``")
matrix_transpose = _matrix_function(jnp.linalg.matrix_transpose, "matrix_transpose", "Transpose", "``(N, k, k)``")


@checked(x=OPERAND, n=integer(-(10**6), 10**6))
def matrix_power(x: object, n: int) -> FunctionCall:
    """Integer power of the matrix at each point (of its inverse for negative ``n``).

    Args:
        x: matrix expression ``(N, k, k)``, or one matrix.
        n: the exponent.

    Returns:
        Node of the shape of ``x``.

    Example:
        >>> import jno
        >>> jno.np.linalg.matrix_power([[2.0, 0.0], [0.0, 3.0]], 2)
        matrix_power(array(2, 2))
    """
    return FunctionCall(partial(jnp.linalg.matrix_power, n=n), [x], "matrix_power")


@checked(a=OPERAND, b=OPERAND)
def solve(a: object, b: object) -> FunctionCall:
    """Solution ``x`` of ``a x = b`` at each point.

    Args:
        a: matrices ``(N, k, k)``, or one ``(k, k)``.
        b: one vector for each matrix, ``(N, k)`` (``(k,)``), or right-hand sides as columns, ``(N, k, m)``.

    Returns:
        Node of the shape of ``b``.

    Example:
        >>> import jno
        >>> jno.np.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [1.0, 1.0])
        solve(array(2, 2), array(2,))
    """
    return FunctionCall(_solve, [a, b], "solve")


def _solve(a: Num[ArrayLike, ...], b: Num[ArrayLike, ...]) -> Inexact[Array, ...]:
    matrix, right = jnp.asarray(a), jnp.asarray(b)
    # numpy.linalg.solve takes every b of rank >= 2 for columns; a field of vectors needs its own axis.
    if right.shape == matrix.shape[:-1]:
        return jnp.linalg.solve(matrix, right[..., None])[..., 0]
    return jnp.linalg.solve(matrix, right)
