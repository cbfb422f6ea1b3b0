"""Arrays by their path in a module: what does not fit, and a module with other arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, PyTree

from ._embedded import module_settings
from ._masks import leaf_paths

_KINDS = (jnp.floating, jnp.complexfloating, jnp.integer, jnp.bool_, jax.dtypes.prng_key)
"""Types of one kind are converted into each other."""


class DoesNotFitError(ValueError):
    """Weights of another structure, shape or type than those of the module."""


def misfits(module: PyTree, arrays: Mapping[str, Any], source: str, *, same_dtype: bool = False) -> list[str]:
    """What keeps arrays from being those of a module, one line per leaf; nothing where every leaf fits.

    Args:
        module: the module; its arrays without entries need no counterpart.
        arrays: arrays by path, see `leaf_paths`.
        source: where they are from, e.g. ``in the checkpoint``.
        same_dtype: refuse another precision, not only another kind of number (default: precision may differ).
    """
    leaves = dict(leaf_paths(module))
    lines = [f"{path}: not {source}" for path, leaf in leaves.items() if path not in arrays and leaf.size]
    lines += [f"{path}: not in the module" for path in arrays if path not in leaves]
    for path, leaf in leaves.items():
        shape, dtype = _type_of(arrays.get(path, leaf))
        if shape != leaf.shape or (dtype != leaf.dtype and (same_dtype or _kind(dtype) != _kind(leaf.dtype))):
            lines.append(f"{path}: {leaf.shape} {leaf.dtype} expected, {shape} {dtype} {source}")
    return lines


def misfits_of_settings(module: PyTree, stored: Mapping[str, Mapping[str, Any]], source: str) -> list[str]:
    """Adapters and embeddings that compute something else with the same arrays, one line each.

    Args:
        module: the module.
        stored: what `module_settings` gave; of files that have less in it, that is compared.
        source: where it is from.
    """
    present = module_settings(module)
    return [
        f"{path or 'the module'}: {_differing(present[path], stored[path])} expected, "
        f"{_differing(stored[path], present[path])} {source}"
        for path in present
        if path in stored and present[path] != dict(stored[path])
    ]


def _differing(settings: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the reference has otherwise, and what they are settings of."""
    names = [name for name in settings if name in _CLASSES or settings[name] != reference.get(name)]
    return {name: settings[name] for name in names}


_CLASSES = ("adapter", "embedding")
"""The settings that name a class."""


def replaced(module: PyTree, arrays: Mapping[str, Any]) -> PyTree:
    """The module with these arrays by path, in the precision it has; others stay."""
    values = iter([_converted(arrays.get(path, leaf), leaf.dtype) for path, leaf in leaf_paths(module)])
    return jax.tree_util.tree_map(lambda leaf: next(values) if eqx.is_array(leaf) else leaf, module)


def _type_of(value: Any) -> tuple[tuple[int, ...], np.dtype]:
    array = value if eqx.is_array(value) else np.asarray(value)
    return array.shape, array.dtype


def _kind(dtype: DTypeLike) -> DTypeLike:
    return next((kind for kind in _KINDS if jnp.issubdtype(dtype, kind)), dtype)


def _converted(value: ArrayLike, dtype: DTypeLike) -> Array:
    array = jnp.asarray(value)
    return array if array.dtype == dtype else array.astype(dtype)
