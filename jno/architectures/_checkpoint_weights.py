"""Loading weights from an Orbax checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from jno.utils import CheckpointFolder, orbax

from ._masks import leaf_paths


def from_checkpoint(module: Any, path: Path, wanted: str, name: str) -> Any:
    """``module`` with the weights of a checkpoint of `jno.callbacks.checkpoint`, or of any module saved by Orbax.

    Leaves that were not trained are not in a checkpoint of training and stay what they are.

    Args:
        module: the module.
        path: the directory, or that of one step.
        wanted: name of the model in the checkpoint, or its number; empty for the only one.
        name: the model's name for messages.

    Raises:
        FileNotFoundError: no checkpoint.
        ValueError: several models and none named, an unknown name, leaves that do not fit.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"initialize() of {name}: no such checkpoint directory: {path}")
    models = _models(path)
    if not wanted and len(models) > 1:
        raise ValueError(
            f"initialize({str(path)!r}) of {name}: the checkpoint holds several models; write "
            f"'{path}::model' with one of {', '.join(models)}"
        )
    chosen = next((key for key in (wanted, f"model_{wanted}") if key in models), None) if wanted else next(iter(models))
    if chosen is None:
        raise ValueError(
            f"initialize('{path}::{wanted}') of {name}: no model {wanted!r} in the checkpoint; it has "
            f"{', '.join(models)}"
        )
    return _filled(module, dict(_flat(models[chosen])), name)


def _models(path: Path) -> Mapping[str, Any]:
    """Weights by model; of a module saved alone, under the empty name."""
    if (path / "_METADATA").exists():  # what Orbax's own checkpointers write
        with orbax().StandardCheckpointer() as reader:
            return {"": reader.restore(path.absolute())}
    step = int(path.name) if (path / "state").is_dir() and path.name.isdigit() else None
    folder = CheckpointFolder(path if step is None else path.parent)
    try:
        return folder.read(step)[0]["weights"]
    finally:
        folder.close()


def _flat(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """``(path, array)`` of nested dicts and lists."""
    if isinstance(tree, Mapping):
        entries = list(tree.items())
    elif isinstance(tree, list | tuple):
        entries = list(enumerate(tree))
    else:
        return [] if tree is None else [(prefix, tree)]
    return [found for key, below in entries for found in _flat(below, f"{prefix}/{key}" if prefix else str(key))]


def _filled(module: Any, kept: Mapping[str, Any], name: str) -> Any:
    own = dict(leaf_paths(module))
    problems = [f"{path}: not in the module" for path in kept if path not in own]
    problems += [
        f"{path}: {own[path].shape} expected, {jnp.shape(array)} in the checkpoint"
        for path, array in kept.items()
        if path in own and own[path].shape != jnp.shape(array)
    ]
    if problems:
        raise ValueError(f"initialize() of {name}: the checkpoint does not fit: " + "; ".join(problems))
    values = iter([jnp.asarray(kept.get(path, leaf), leaf.dtype) for path, leaf in own.items()])
    return jax.tree_util.tree_map(lambda leaf: next(values) if eqx.is_array(leaf) else leaf, module)
