"""Weights as plain data: what `jno.save(..., data_only=True)` writes of networks, and reading it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
from jaxtyping import PyTree

from jno.trace import Model
from jno.utils import data_of, load, shown_path

from ._checkpoint_weights import StoredWeights
from ._embedded import module_settings
from ._masks import leaf_paths


def weights_as_data(modules: Mapping[str, PyTree]) -> dict[str, Any]:
    """The arrays of modules, by name and path, and the settings of their adapters and embeddings.

    Args:
        modules: by the name of their model.
    """
    return {
        "weights": {name: dict(leaf_paths(module)) for name, module in modules.items()},
        "adapters": {name: module_settings(module) for name, module in modules.items()},
    }


@data_of.register
def _(module: eqx.Module) -> dict[str, Any]:
    return weights_as_data({"": module})


@data_of.register
def _(model: Model) -> dict[str, Any]:
    return weights_as_data({model.model_key: model.module})


def read_weights(path: Path, name: str) -> dict[str, StoredWeights]:
    """The weights of a file by model; nothing in it is executed.

    Args:
        path: the file.
        name: of the model that they are for, in messages.

    Raises:
        ValueError: it is a pickle, damaged, or holds no weights.
    """
    content = load(path, trusted=False)
    weights = content.get("weights") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(arrays, dict) for arrays in weights.values()):
        raise ValueError(
            f"initialize() of {name}: {shown_path(path)!r} holds no weights; save a core, a model or a module with "
            "data_only=True"
        )
    adapters = content.get("adapters", {})
    return {key: StoredWeights(arrays, adapters.get(key, {})) for key, arrays in weights.items()}
