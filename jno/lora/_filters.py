"""What to train, and the way back to plain layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

from ._wrapper import LoRAWrapper


def is_wrapped(node: object) -> bool:
    """Whether a node of a module is an adapted layer."""
    return isinstance(node, LoRAWrapper)


def _by_node(model: PyTree, of_wrapper: Callable[[LoRAWrapper], PyTree], of_leaf: Callable[[Any], Any]) -> PyTree:
    """The tree with every adapted layer and every leaf outside of them replaced."""
    return jax.tree_util.tree_map(
        lambda node: of_wrapper(node) if isinstance(node, LoRAWrapper) else of_leaf(node), model, is_leaf=is_wrapped
    )


def merge_lora(model: PyTree) -> PyTree:
    """The model with every adapted layer replaced by the plain layer that computes the same.

    Args:
        model: a module, with or without adapters.

    Returns:
        a module without adapters, of the structure it had before `apply_lora`.

    Example:
        >>> import equinox as eqx, jax
        >>> from jno.lora import apply_lora, merge_lora
        >>> net = eqx.nn.MLP(2, 1, 8, 2, key=jax.random.PRNGKey(0))
        >>> tuned = apply_lora(net, rank=2, key=jax.random.PRNGKey(1))
        >>> jax.tree_util.tree_structure(merge_lora(tuned)) == jax.tree_util.tree_structure(net)
        True
    """
    return _by_node(model, lambda wrapper: wrapper.merge(), lambda leaf: leaf)


def lora_trainable_filter(model: PyTree) -> PyTree:
    """Filter of the adapters' trainable leaves: a tree of booleans that mirrors the model.

    Example:
        >>> import equinox as eqx, jax
        >>> from jno.lora import apply_lora, lora_trainable_filter
        >>> tuned = apply_lora(eqx.nn.MLP(2, 1, 8, 2, key=jax.random.PRNGKey(0)), rank=1, key=jax.random.PRNGKey(1))
        >>> trained, frozen = eqx.partition(tuned, lora_trainable_filter(tuned))
        >>> sum(leaf.size for leaf in jax.tree_util.tree_leaves(trained))  # (8 + 2) + (8 + 8) + (1 + 8)
        35
    """
    return _by_node(model, lambda wrapper: wrapper.adapter_filter(), lambda leaf: False)


def partial_lora_trainable_filter(model: PyTree) -> PyTree:
    """Filter of the adapters' trainable leaves and of every inexact array outside adapted layers.

    A tree of booleans that mirrors the model; kernels and biases of adapted layers stay frozen.

    Example:
        >>> import equinox as eqx, jax
        >>> from jno.lora import apply_lora, partial_lora_trainable_filter
        >>> net = eqx.nn.MLP(2, 1, 8, 2, key=jax.random.PRNGKey(0))
        >>> tuned = apply_lora(net, rank=1, key=jax.random.PRNGKey(1), target="layers/0")
        >>> trained, frozen = eqx.partition(tuned, partial_lora_trainable_filter(tuned))
        >>> sum(leaf.size for leaf in jax.tree_util.tree_leaves(trained))  # (8 + 2) + (64 + 8) + (8 + 1)
        91
    """
    return _by_node(model, lambda wrapper: wrapper.adapter_filter(), eqx.is_inexact_array)


def adapter_count(model: PyTree) -> int:
    """Number of adapted layers.

    Args:
        model: a module, as `Model.module` after ``jno.core`` has put adapters into it.

    Example:
        >>> import equinox as eqx, jax, jno
        >>> net = eqx.nn.MLP(2, 1, width_size=8, depth=2, key=jax.random.PRNGKey(0))
        >>> jno.lora.adapter_count(jno.lora.apply_lora(net, rank=2, key=jax.random.PRNGKey(1), target="layers/[01]"))
        2
    """
    return sum(map(is_wrapped, jax.tree_util.tree_leaves(model, is_leaf=is_wrapped)))


def adapter_settings(model: PyTree) -> dict[str, dict[str, Any]]:
    """What adapters compute with besides arrays, by the path of their layer: the class, and its static numbers.

    Two models whose arrays and settings are equal compute the same.

    Example:
        >>> import equinox as eqx, jax
        >>> from jno.lora import adapter_settings, apply_lora
        >>> net = eqx.nn.MLP(2, 1, 8, 1, key=jax.random.PRNGKey(0))
        >>> adapter_settings(apply_lora(net, rank=2, alpha=4.0, key=jax.random.PRNGKey(1), target="layers/0"))
        {'layers/0': {'adapter': 'LoRALinear', 'scale': 2.0}}
    """
    flat, _ = jax.tree_util.tree_flatten_with_path(model, is_leaf=is_wrapped)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): {"adapter": type(node).__name__, **_numbers(node)}
        for path, node in flat
        if is_wrapped(node)
    }


def _numbers(wrapper: LoRAWrapper) -> dict[str, Any]:
    values = {field.name: getattr(wrapper, field.name) for field in dataclasses.fields(wrapper)}
    return {name: value for name, value in values.items() if isinstance(value, bool | int | float)}
