"""Pytrees that come from users' code must have the form of those that they replace."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree


def check_like(new: PyTree, old: PyTree, source: str, old_name: str) -> None:
    """Refuse a pytree whose structure, shapes or kinds of numbers are not those of another.

    Args:
        new: what is to replace the other.
        old: the other.
        source: where the new one comes from, for messages.
        old_name: what the other one is, for messages.

    Raises:
        ValueError: naming what differs.
        TypeError: a leaf that is no array of numbers.
    """
    returned: jax.tree_util.PyTreeDef = jax.tree_util.tree_structure(new)
    expected: jax.tree_util.PyTreeDef = jax.tree_util.tree_structure(old)
    if returned != expected:
        raise ValueError(f"{source} returned {returned} instead of {old_name}: {expected}")
    pairs = zip(jax.tree_util.tree_leaves_with_path(new), jax.tree_util.tree_leaves(old), strict=True)
    lines = [line for (path, leaf), before in pairs if (line := _misfit(jax.tree_util.keystr(path), leaf, before))]
    if lines:
        raise ValueError(
            f"{source} returned leaves that do not fit {old_name}: {'; '.join(lines)}. Return arrays of the same "
            "shapes and kinds of numbers"
        )


def _misfit(path: str, leaf: object, before: Any) -> str:
    try:
        array = leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf)
    except (TypeError, ValueError) as error:
        return f"{path} is no array of numbers ({error})"
    if array.shape != jnp.shape(before):
        return f"{path} has the shape {array.shape} instead of {jnp.shape(before)}"
    # another precision is rounded, another kind of number would lose a part
    if jnp.iscomplexobj(array) and not jnp.iscomplexobj(before):
        return f"{path} is of the type {array.dtype} instead of {jnp.result_type(before)}"
    return ""
