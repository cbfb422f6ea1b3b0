"""Boolean masks over the leaves of a module."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from jno.lora import is_wrapped, lora_trainable_filter, partial_lora_trainable_filter

_LONGEST_LIST = 4
"""Most differing paths that a message names."""


def leaf_paths(module: PyTree) -> list[tuple[str, Any]]:
    """``(path, leaf)`` of every array leaf, e.g. ``hidden_layers/0/weight``."""
    return _flat(eqx.filter(module, eqx.is_array))


def _flat(tree: PyTree) -> list[tuple[str, Any]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]


def trainable_filter(module: PyTree) -> PyTree[bool]:
    """Filter of the leaves training may change: inexact arrays."""
    return jax.tree_util.tree_map(eqx.is_inexact_array, module)


def checked_mask(module: PyTree, mask: PyTree, name: str) -> PyTree[bool]:
    """``mask`` restricted to trainable leaves, as a filter of ``module``.

    Raises:
        ValueError: the mask does not mirror the module, has a leaf that is not a boolean, or selects nothing.
    """
    inexact = trainable_filter(module)
    expected: Any = jax.tree_util.tree_structure(module)
    mask = _over_adapters(module, mask)
    structure: Any = jax.tree_util.tree_structure(mask)
    if structure != expected:
        raise ValueError(
            f"mask of {name}: it must mirror the module's tree, and differs at {_difference(module, mask)}; "
            "build it from jax.tree_util.tree_map(lambda _: False, model.module) with equinox.tree_at"
        )
    for path, leaf in _flat(mask):
        if not isinstance(leaf, bool | np.bool_):
            raise ValueError(f"mask of {name}: leaf {path} must be True or False, got {leaf!r}")
    selected = jax.tree_util.tree_map(lambda leaf, wanted_leaf: bool(leaf and wanted_leaf), inexact, mask)
    if not any(jax.tree_util.tree_leaves(selected)):
        raise ValueError(f"mask of {name} selects no trainable leaf")
    return selected


def _difference(module: PyTree, mask: PyTree) -> str:
    """Paths of leaves that only one of two trees has, or what their types are."""
    expected, present = ({path for path, _ in _flat(tree)} for tree in (module, mask))
    paths = [f"{path} (missing)" for path in sorted(expected - present)]
    paths += [f"{path} (unknown)" for path in sorted(present - expected)]
    if not paths:
        return f"the type of a node: {type(mask).__name__} for {type(module).__name__}"
    return ", ".join(paths[:_LONGEST_LIST]) + (
        f" and {len(paths) - _LONGEST_LIST} more" if len(paths) > _LONGEST_LIST else ""
    )


def _over_adapters(module: PyTree, mask: PyTree) -> PyTree:
    """A mask of the network without its adapters: it selects all of an adapter where it selects any of its layer."""
    outer: Any
    layers, outer = jax.tree_util.tree_flatten(module, is_leaf=is_wrapped)
    structure: Any = jax.tree_util.tree_structure(mask)
    if not any(map(is_wrapped, layers)) or structure == jax.tree_util.tree_structure(module):
        return mask
    try:
        parts = outer.flatten_up_to(mask)
    except ValueError:  # it mirrors neither; the caller says so
        return mask

    def extended(layer: PyTree, part: PyTree) -> PyTree:
        if not is_wrapped(layer):
            return part
        selects = any(map(bool, jax.tree_util.tree_leaves(part)))
        return jax.tree_util.tree_map(lambda _: selects, layer)

    return outer.unflatten([extended(layer, part) for layer, part in zip(layers, parts, strict=True)])


def trained_leaves(module: PyTree, adapters: str | None) -> PyTree[bool]:
    """Filter of the leaves that training may change: of an adapted network the adapters, or also unwrapped layers."""
    if adapters is None:
        return trainable_filter(module)
    return lora_trainable_filter(module) if adapters == "only" else partial_lora_trainable_filter(module)


def overlap(left: PyTree[bool], right: PyTree[bool]) -> list[str]:
    """Paths of the leaves both filters select."""
    both = jax.tree_util.tree_map(lambda a, b: bool(a and b), left, right)
    return [path for path, selected in _flat(both) if selected]
