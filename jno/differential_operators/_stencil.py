"""Sparse linear operators with zero row sums, applied to nodal fields."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Inexact, Int, Num

#: Entries below this fraction of the largest entry of their row are rounding left over from cancellation.
NEGLIGIBLE = 1e-14


def register_immutable(cls: type, children: tuple[str, ...], static: tuple[str, ...]) -> None:
    """Make a frozen dataclass a pytree; unflattening skips its checks: JAX passes placeholders."""

    def flatten(node: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        values = vars(node)
        return tuple(values[name] for name in children), tuple(values[name] for name in static)

    def unflatten(aux: tuple[Any, ...], leaves: Any) -> Any:
        node: Any = object.__new__(cls)
        vars(node).update(zip(children + static, (*leaves, *aux), strict=True))
        return node

    jax.tree_util.register_pytree_node(cls, flatten, unflatten)


@dataclass(frozen=True, eq=False)
class Stencil:
    r"""A derivative on a mesh, $(Lu)_i = \sum_{j \ne i} L_{ij} (u_j - u_i)$.

    Every derivative annihilates constants, so its diagonal is minus the sum of the other entries of the row.
    Storing only these and summing differences keeps that property exactly in floating point and loses less to
    cancellation than the plain matrix-vector product. A stencil is a pytree: close over it, or pass it to a
    jitted function to keep a large mesh out of the compiled constants.

    Attributes:
        row: Node the entry contributes to, ascending, shape (K,).
        col: Neighbour the entry reads, shape (K,).
        value: Coefficient, float64 on the host, shape (K,). Its unit is 1/length (first) or 1/length² (second
            order).
        n: Number of mesh nodes.

    Example:
        >>> import numpy as np
        >>> from jno.differential_operators import gradient_stencil
        >>> x = np.linspace(0.0, 1.0, 5)
        >>> lines = np.stack([np.arange(4), np.arange(1, 5)], axis=1)
        >>> print(gradient_stencil(x, lines, dim=0).apply(3.0 * x))
        [3. 3. 3. 3. 3.]
    """

    row: Int[Array | np.ndarray, " K"]
    col: Int[Array | np.ndarray, " K"]
    value: Float[Array | np.ndarray, " K"]
    n: int

    def apply(self, u: Num[Array | np.ndarray, "nodes ..."]) -> Inexact[Array, "nodes ..."]:
        """Apply the operator along the first axis of `u`, shape (n,) or (n, D); shape and dtype are kept.

        Integers become the default floating type. Raises ValueError when the first axis is not the n mesh
        nodes.
        """
        if u.shape[0] != self.n:
            raise ValueError(f"u has {u.shape[0]} values but the mesh has {self.n} points; give one value per point.")
        field = jnp.asarray(u)
        field = field if jnp.issubdtype(field.dtype, jnp.inexact) else field.astype(jnp.result_type(float))
        value = jnp.asarray(self.value, dtype=jnp.finfo(field.dtype).dtype)
        value = value.reshape(value.shape + (1,) * (field.ndim - 1))
        terms = value * (field[self.col] - field[self.row])
        return jax.ops.segment_sum(terms, self.row, num_segments=self.n, indices_are_sorted=True)


register_immutable(Stencil, children=("row", "col", "value"), static=("n",))


def stencil_from_matrix(matrix: Any) -> Stencil:
    """The stencil of a square SciPy sparse matrix with zero row sums."""
    entries = matrix.tocoo()
    entries.sum_duplicates()
    largest = np.zeros(entries.shape[0])
    np.maximum.at(largest, entries.row, np.abs(entries.data))
    kept = (np.abs(entries.data) > NEGLIGIBLE * largest[entries.row]) & (entries.row != entries.col)
    row, col, value = entries.row[kept], entries.col[kept], entries.data[kept]
    order = np.lexsort((col, row))
    return Stencil(row[order].astype(np.int32), col[order].astype(np.int32), value[order], entries.shape[0])
