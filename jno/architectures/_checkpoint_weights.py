"""Loading weights from an Orbax checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from jno.utils import CheckpointFolder, orbax, shown_path

from ._leaves import DoesNotFitError, misfits, misfits_of_settings, replaced


@dataclasses.dataclass(frozen=True)
class StoredWeights:
    """Weights of one model: arrays in nested dicts and lists, and by path what `module_settings` gives."""

    arrays: Any
    settings: Mapping[str, Any]


def from_checkpoint(module: PyTree, path: Path, model_name: str, name: str) -> PyTree:
    """``module`` with the weights of a checkpoint of `jno.callbacks.checkpoint`, or of any module saved by Orbax.

    Every array of the module comes from the checkpoint, those that were not trained too.

    Args:
        module: the module.
        path: the directory, or that of one step.
        model_name: name of the model in the checkpoint, or its number; empty for the only one.
        name: the model's name for messages.

    Raises:
        FileNotFoundError: no checkpoint.
        ValueError: several models and none named, an unknown name, leaves that only the module or only the checkpoint
            has, leaves and adapters that do not fit.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"initialize() of {name}: no such checkpoint directory: {shown_path(path)}")
    return with_stored(module, _models(path), path, model_name, name)


def with_stored(module: PyTree, models: Mapping[str, StoredWeights], path: Path, model_name: str, name: str) -> PyTree:
    """``module`` with the weights of one of several models; arguments and errors are those of `from_checkpoint`."""
    if not model_name and len(models) > 1:
        raise ValueError(
            f"initialize({shown_path(path)!r}) of {name}: the checkpoint holds several models; write "
            f"'{shown_path(path)}::model' with one of {', '.join(models)}"
        )
    names = (model_name, f"model_{model_name}") if model_name else models
    entry = next((key for key in names if key in models), None)
    if entry is None:
        raise ValueError(
            f"initialize('{shown_path(path)}::{model_name}') of {name}: no model {model_name!r} in the checkpoint; "
            f"it has {', '.join(models)}"
        )
    arrays, settings = dict(_flat(models[entry].arrays)), models[entry].settings
    problems = misfits(module, arrays, "in the checkpoint")
    problems = problems or misfits_of_settings(module, settings, "in the checkpoint")
    if problems:
        hint = ""
        has_adapters = any("adapter" in of_node for of_node in settings.values())
        if has_adapters and any(line.endswith("not in the module") for line in problems):
            hint = "; the checkpoint holds adapters: call lora(...) as in the training it is from"
        raise DoesNotFitError(f"initialize() of {name}: the checkpoint does not fit: " + "; ".join(problems) + hint)
    return replaced(module, arrays)


def _models(path: Path) -> dict[str, StoredWeights]:
    """Weights by model; of a module saved alone, under the empty name."""
    if (path / "_METADATA").exists():  # what Orbax's own checkpointers write
        with orbax().StandardCheckpointer() as reader:
            return {"": StoredWeights(reader.restore(path.absolute()), {})}
    step = int(path.name) if (path / "state").is_dir() and path.name.isdigit() else None
    folder = CheckpointFolder(path if step is None else path.parent)
    try:
        arrays, metadata = folder.read(step)
    finally:
        folder.close()
    trained, fixed, adapters = arrays.get("weights", {}), arrays.get("fixed", {}), metadata.get("adapters", {})
    names = dict.fromkeys([*trained, *fixed])
    return {key: StoredWeights({**trained.get(key, {}), **fixed.get(key, {})}, adapters.get(key, {})) for key in names}


def _flat(tree: PyTree, prefix: str = "") -> list[tuple[str, Any]]:
    """``(path, array)`` of nested dicts and lists."""
    if isinstance(tree, Mapping):
        entries = list(tree.items())
    elif isinstance(tree, list | tuple):
        entries = list(enumerate(tree))
    else:
        return [] if tree is None else [(prefix, tree)]
    return [leaf for key, below in entries for leaf in _flat(below, f"{prefix}/{key}" if prefix else str(key))]
