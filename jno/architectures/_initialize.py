"""Loading weights into a module when a core is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._masks import leaf_paths


def initialized(module: Any, weights: Any, key: Any, name: str) -> Any:
    """``module`` with the weights that ``Model.initialize`` was given.

    Raises:
        FileNotFoundError: a path that does not exist.
        ValueError: weights of another structure, shape or dtype kind; the message names the leaves.
    """
    if isinstance(weights, str | Path):
        return _from_file(module, Path(weights), name)
    if _is_array_like(weights):
        return _from_array(module, weights, name)
    if isinstance(weights, eqx.Module) or not callable(weights):
        return _from_tree(module, weights, name)
    return _from_callable(module, weights, key)


def _is_array_like(weights: Any) -> bool:
    return isinstance(weights, bool | int | float | np.ndarray | np.generic | jax.Array)


def _from_file(module: Any, path: Path, name: str) -> Any:
    if path.suffix != ".eqx":
        raise NotImplementedError(f"initialize({str(path)!r}) of {name}: only Equinox '.eqx' files can be read")
    if not path.exists():
        raise FileNotFoundError(f"initialize() of {name}: no such file: {path}")
    try:
        return eqx.tree_deserialise_leaves(path, module)
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        raise ValueError(f"initialize() of {name}: {path} does not hold weights of this module: {error}") from error


def _from_array(module: Any, value: Any, name: str) -> Any:
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


def _from_tree(module: Any, weights: Any, name: str) -> Any:
    old, new = leaf_paths(module), leaf_paths(weights)
    problems = [
        f"{p}: {a.shape} {a.dtype} expected, {b.shape} {b.dtype} given"
        for (p, a), (_, b) in zip(old, new, strict=False)
        if a.shape != b.shape or a.dtype != b.dtype
    ]
    if len(old) != len(new):
        missing = sorted({p for p, _ in old} ^ {p for p, _ in new})
        problems.append(f"{len(old)} arrays expected, {len(new)} given; not in both: {missing}")
    if problems:
        raise ValueError(f"initialize() of {name}: the weights do not fit: " + "; ".join(problems))
    values = iter([leaf for _, leaf in new])
    return jax.tree_util.tree_map(lambda leaf: jnp.asarray(next(values)) if eqx.is_array(leaf) else leaf, module)


def _from_callable(module: Any, initializer: Callable[..., Any], key: Any) -> Any:
    leaves = [leaf for _, leaf in leaf_paths(module) if eqx.is_inexact_array(leaf)]
    keys = iter(jax.random.split(key, max(1, len(leaves))))
    return _replace_inexact(module, lambda leaf: jnp.asarray(initializer(next(keys), leaf.shape, leaf.dtype)))


def _replace_inexact(module: Any, new: Callable[[Any], Any]) -> Any:
    return jax.tree_util.tree_map(lambda leaf: new(leaf) if eqx.is_inexact_array(leaf) else leaf, module)
