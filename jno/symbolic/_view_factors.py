"""Radiation between surfaces: view factors as a linear operator on values at points."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Inexact, Num

from jno.trace import FunctionCall, Placeholder, as_node


class ViewFactor:
    r"""The operator :math:`(F x)_i = \sum_j F_{ij} x_j` on values at points; ``F @ x`` is ``F.apply(x)``.

    Made by `jno.np.view_factor`.

    Attributes:
        matrix: node ``(N, M)``: what of the radiation that leaves point ``i`` arrives at point ``j``.
    """

    def __init__(self, matrix: object) -> None:
        try:
            self.matrix: Placeholder = as_node(matrix)
        except TypeError as error:
            raise TypeError(
                "view_factor(F) takes the factors between two tags, such as one entry F[a][b] of what "
                f"compute_enclosure_view_factor gives; {error}"
            ) from error

    def __repr__(self) -> str:
        return f"view_factor({self.matrix!r})"

    def __matmul__(self, x: object) -> FunctionCall:
        return self.apply(x)

    def apply(self, x: object) -> FunctionCall:
        """The irradiation ``F x``.

        Args:
            x: expression at the points of the second tag, ``(M, k)`` or ``(M,)``; a number is the same at all points.

        Returns:
            Node at the points of the first tag, ``(N, k)`` or ``(N,)``; of a number ``(N, 1)``.

        Raises:
            ValueError: (when compiled) another number of values than of points.
        """
        return FunctionCall(_applied, [self.matrix, x], "view_factor")

    def solve(self, rhs: object, alpha: object) -> FunctionCall:
        r"""The solution of :math:`(I - \alpha F)\, x = b`, the radiosity of grey diffuse surfaces.

        With emissivity :math:`\varepsilon`, ``F.solve(eps * sigma * T**4, 1 - eps)`` is the radiosity: what is
        emitted and what is reflected of the radiation that arrives.

        Args:
            rhs: ``b``, expression at the points, ``(N, k)`` or ``(N,)``; a number is the same at all points.
            alpha: a number, or one value per point, ``(N, 1)`` or ``(N,)``, which multiplies the rows of ``F``.

        Returns:
            Node of the shape of ``rhs``; of a number ``(N, 1)``.

        Raises:
            ValueError: (when compiled) factors between different points, or another number of values than of points.
        """
        return FunctionCall(_solved, [self.matrix, rhs, alpha], "view_factor_solve")


def view_factor(F: object) -> ViewFactor:
    """View factors as an operator.

    Args:
        F: the factors between two tags ``(N, M)``, or of one tag with itself ``(N, N)``: the `TensorTag` that
            ``domain.variable(tag, view_factor=True)`` gives, an entry of what
            ``domain.compute_enclosure_view_factor(tags)`` gives, or an array.

    Returns:
        `ViewFactor`, with ``F @ x``, ``F.apply(x)`` and ``F.solve(rhs, alpha)``.

    Raises:
        TypeError: no expression and no array, such as all entries together.

    Example:
        >>> import jno
        >>> gap = jno.np.view_factor([[0.0, 1.0], [0.5, 0.5]])
        >>> gap @ [[1.0], [3.0]]
        view_factor(array(2, 2), array(2, 1))

    Source: M. F. Modest, "Radiative Heat Transfer", 2013, chapter 5.
    """
    return ViewFactor(F)


def _applied(matrix: Num[Array, "N M"], x: ArrayLike) -> Num[Array, "N ..."]:
    return matrix @ _at_points("x", x, matrix.shape[1])


def _solved(matrix: Num[Array, "N M"], rhs: ArrayLike, alpha: ArrayLike) -> Inexact[Array, "N ..."]:
    count = len(matrix)
    if matrix.shape != (count, count):
        raise ValueError(
            f"view_factor(F).solve needs the factors of points with themselves, (N, N); F has shape {matrix.shape}"
        )
    share = jnp.asarray(alpha)
    if share.size not in (1, count):
        raise ValueError(
            f"view_factor(F).solve: alpha must be one number or one for each of the {count} points; got shape "
            f"{share.shape}"
        )
    return jnp.linalg.solve(jnp.eye(count) - share.reshape(-1, 1) * matrix, _at_points("rhs", rhs, count))


def _at_points(name: str, values: ArrayLike, count: int) -> Num[Array, "N ..."]:
    array = jnp.asarray(values)
    if array.size == 1 and count != 1:
        return jnp.full((count, 1), array.reshape(()))
    if array.ndim == 0:
        return array.reshape(1, 1)
    if array.ndim > 2 or len(array) != count:
        raise ValueError(
            f"view_factor(F): {name} must have one row for each of the {count} points, ({count}, k) or ({count},); got "
            f"shape {array.shape}"
        )
    return array
