"""Loading weights into a module when a core is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, PyTree

from jno.utils import Key, array_headers, is_jno_file, shown_path, user_path

from ._checkpoint_weights import from_checkpoint, with_stored
from ._embedded import module_settings
from ._leaves import DoesNotFitError, misfits, misfits_of_settings, replaced
from ._masks import leaf_paths
from ._weight_files import read_weights


def initialized(module: PyTree, weights: object, key: Key, name: str) -> PyTree:
    """``module`` with the weights that ``Model.initialize`` was given.

    Raises:
        FileNotFoundError: a path that does not exist.
        ValueError: weights of another structure, shape or dtype kind; the message names the leaves.
    """
    if isinstance(weights, str | Path):
        location, _, key_in_file = str(weights).partition("::")
        path = user_path(location)
        if is_jno_file(path):
            return with_stored(module, read_weights(path, name), path, key_in_file, name)
        if key_in_file or path.is_dir():
            return from_checkpoint(module, path, key_in_file, name)
        return _from_file(module, path, name)
    if _is_array_like(weights):
        return _from_array(module, weights, name)
    if isinstance(weights, eqx.Module) or not callable(weights):
        return _from_tree(module, weights, name)
    return _from_callable(module, weights, key, name)


def _is_array_like(weights: object) -> TypeGuard[ArrayLike]:
    return isinstance(weights, bool | int | float | np.ndarray | np.generic | jax.Array)


def _from_file(module: PyTree, path: Path, name: str) -> PyTree:
    if path.suffix != ".eqx":
        raise ValueError(
            f"initialize({shown_path(path)!r}) of {name}: expected an Equinox '.eqx' file or a checkpoint directory, "
            "for one of several models written 'directory::model'"
        )
    if not path.exists():
        raise FileNotFoundError(f"initialize() of {name}: no such file: {shown_path(path)}")
    try:
        array_headers(path, "the file")
        with path.open("rb") as file:
            loaded = eqx.tree_deserialise_leaves(file, module)
            surplus = file.read(1)
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        raise DoesNotFitError(
            f"initialize() of {name}: {shown_path(path)} does not hold weights of this module: {error}"
        ) from error
    if surplus:
        raise DoesNotFitError(
            f"initialize() of {name}: {shown_path(path)} does not hold weights of this module: it has more arrays"
        )
    return loaded


def _from_array(module: PyTree, value: ArrayLike, name: str) -> PyTree:
    leaves = [(path, leaf) for path, leaf in leaf_paths(module) if eqx.is_inexact_array(leaf)]
    if len(leaves) != 1:
        raise ValueError(
            f"initialize({type(value).__name__}) of {name}: a single array fits a parameter, this module has "
            f"{len(leaves)} floating arrays; give a pytree like the module"
        )
    path, leaf = leaves[0]
    if np.ndim(value) > 0 and np.shape(value) != leaf.shape:
        raise ValueError(
            f"initialize() of {name}: {path} has shape {leaf.shape}, the array has shape {np.shape(value)}"
        )
    filled = jnp.broadcast_to(jnp.asarray(value, dtype=leaf.dtype), leaf.shape)
    return _replace_inexact(module, lambda _: filled)


def _from_tree(module: PyTree, weights: PyTree, name: str) -> PyTree:
    arrays = dict(leaf_paths(weights))
    problems = misfits(module, arrays, "given", same_dtype=True)
    problems = problems or misfits_of_settings(module, module_settings(weights), "given")
    if problems:
        raise DoesNotFitError(f"initialize() of {name}: the weights do not fit: " + "; ".join(problems))
    return replaced(module, arrays)


def _from_callable(module: PyTree, initializer: Callable[..., Any], key: Key, name: str) -> PyTree:
    """``(key, shape)`` or ``(key, shape, dtype)`` initializers on every floating array."""
    leaves = [(path, leaf) for path, leaf in leaf_paths(module) if eqx.is_inexact_array(leaf)]
    takes_dtype = len(inspect.signature(initializer).parameters) > 2
    values = []
    for leaf_key, (path, leaf) in zip(jax.random.split(key, max(1, len(leaves))), leaves, strict=False):
        arguments = (leaf_key, leaf.shape, leaf.dtype) if takes_dtype else (leaf_key, leaf.shape)
        value = jnp.asarray(initializer(*arguments), dtype=leaf.dtype)
        if value.shape != leaf.shape:
            raise ValueError(
                f"initialize() of {name}: the initializer returned shape {value.shape} for {path} of shape {leaf.shape}"
            )
        values.append(value)
    remaining = iter(values)
    return _replace_inexact(module, lambda _: next(remaining))


def _replace_inexact(module: PyTree, new: Callable[[Array], Array]) -> PyTree:
    return jax.tree_util.tree_map(lambda leaf: new(leaf) if eqx.is_inexact_array(leaf) else leaf, module)
