"""Carried values keep their dtypes: what optimizers and kernels return may have been computed in another one."""

from __future__ import annotations

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike, PyTree

_Tree = TypeVar("_Tree")


def like(new: _Tree, old: PyTree) -> _Tree:
    """The arrays of ``new`` in the dtypes of those of ``old``, a pytree of the same structure."""
    return jax.tree_util.tree_map(_cast, new, old)


def widened(tree: _Tree) -> _Tree:
    """The arrays in the default floating dtype, or in theirs where that is wider."""
    return jax.tree_util.tree_map(lambda leaf: leaf.astype(jnp.promote_types(leaf.dtype, jnp.result_type(float))), tree)


def _cast(new: ArrayLike, old: ArrayLike | jax.ShapeDtypeStruct) -> ArrayLike:
    dtype = jnp.result_type(old)
    return new if jnp.result_type(new) == dtype else jnp.asarray(new).astype(dtype)
