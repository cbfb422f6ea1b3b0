"""Boolean masks over the leaves of a module."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np

from jno.lora import LoRAWrapper, lora_trainable_filter, partial_lora_trainable_filter

_SHOWN = 4
"""Most differing paths that a message names."""


def leaf_paths(module: Any) -> list[tuple[str, Any]]:
    """``(path, leaf)`` of every array leaf, e.g. ``hidden_layers/0/weight``."""
    flat, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(module, eqx.is_array))
    return [("/".join(str(_entry(p)) for p in path), leaf) for path, leaf in flat]


def _entry(part: Any) -> Any:
    return jax.tree_util.keystr((part,), simple=True)


def trainable_filter(module: Any) -> Any:
    """Filter of the leaves training may change: inexact arrays."""
    return jax.tree_util.tree_map(eqx.is_inexact_array, module)


def checked_mask(module: Any, mask: Any, name: str) -> Any:
    """``mask`` restricted to trainable leaves, as a filter of ``module``.

    Raises:
        ValueError: the mask does not mirror the module, has a leaf that is not a boolean, or selects nothing.
    """
    inexact = trainable_filter(module)
    expected: Any = jax.tree_util.tree_structure(module)
    mask = _over_adapters(module, mask)
    given: Any = jax.tree_util.tree_structure(mask)
    if given != expected:
        raise ValueError(
            f"mask of {name}: it must mirror the module's tree, and differs at {_difference(module, mask)}; "
            "build it from jax.tree_util.tree_map(lambda _: False, model.module) with equinox.tree_at"
        )
    for path, leaf in jax.tree_util.tree_flatten_with_path(mask)[0]:
        if not isinstance(leaf, bool | np.bool_):
            where = "/".join(str(_entry(p)) for p in path)
            raise ValueError(f"mask of {name}: leaf {where} must be True or False, got {leaf!r}")
    selected = jax.tree_util.tree_map(lambda leaf, chosen: bool(leaf and chosen), inexact, mask)
    if not any(jax.tree_util.tree_leaves(selected)):
        raise ValueError(f"mask of {name} selects no trainable leaf")
    return selected


def _difference(module: Any, mask: Any) -> str:
    """Paths of leaves that only one of two trees has, or what their types are."""
    own, other = ({"/".join(str(_entry(p)) for p in path) for path, _ in _leaves(tree)} for tree in (module, mask))
    found = [f"{path} (missing)" for path in sorted(own - other)] + [
        f"{path} (unknown)" for path in sorted(other - own)
    ]
    if not found:
        return f"the type of a node: {type(mask).__name__} for {type(module).__name__}"
    return ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


def _leaves(tree: Any) -> list[Any]:
    return jax.tree_util.tree_flatten_with_path(tree)[0]


def _over_adapters(module: Any, mask: Any) -> Any:
    """A mask of the network without its adapters: it selects all of an adapter where it selects any of its layer."""
    outer: Any
    layers, outer = jax.tree_util.tree_flatten(module, is_leaf=is_adapter)
    given: Any = jax.tree_util.tree_structure(mask)
    if not any(map(is_adapter, layers)) or given == jax.tree_util.tree_structure(module):
        return mask
    try:
        parts = outer.flatten_up_to(mask)
    except ValueError:  # it mirrors neither; the caller says so
        return mask

    def extended(layer: Any, part: Any) -> Any:
        if not is_adapter(layer):
            return part
        chosen = any(map(bool, jax.tree_util.tree_leaves(part)))
        return jax.tree_util.tree_map(lambda _: chosen, layer)

    return outer.unflatten([extended(layer, part) for layer, part in zip(layers, parts, strict=True)])


def trained_leaves(module: Any, adapters: str | None) -> Any:
    """Filter of the leaves that training may change: of an adapted network the adapters, or also unwrapped layers."""
    if adapters is None:
        return trainable_filter(module)
    return lora_trainable_filter(module) if adapters == "only" else partial_lora_trainable_filter(module)


def is_adapter(node: Any) -> bool:
    """Whether a part of a module is a layer with an adapter."""
    return isinstance(node, LoRAWrapper)


def overlap(first: Any, second: Any) -> list[str]:
    """Paths of the leaves both filters select."""
    both = jax.tree_util.tree_map(lambda a, b: bool(a and b), first, second)
    flat, _ = jax.tree_util.tree_flatten_with_path(both)
    return ["/".join(str(_entry(p)) for p in path) for path, chosen in flat if chosen]
