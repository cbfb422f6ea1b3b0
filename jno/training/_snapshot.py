"""The state of training as named arrays, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike, PyTree

from jno.architectures import leaf_paths, misfits, misfits_of_settings, module_settings, replaced
from jno.trace import Model, has_numbered_name

from ._state import TrainState
from ._types import Modules

_SOURCE = "in the checkpoint"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What `snapshot` gave and a file holds: the names in it are those of older files."""

    arrays: dict[str, Any]
    metadata: dict[str, Any]


def snapshot(
    state: TrainState, models: Sequence[Model], fixed: Modules, points: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays by name, and the facts that are needed to read them: weights by model and path, all others by number.

    Args:
        state: what training changes.
        models: all models of the core.
        fixed: their modules without the trained leaves, by model id.
        points: those that resampling has replaced.

    Raises:
        ValueError: two models of the same name.
    """
    check_names(models)
    trained = [model for model in models if model.layer_id in state.parameters]
    arrays = {
        "weights": {model.model_key: _by_path(state.parameters[model.layer_id]) for model in trained},
        "fixed": {model.model_key: leaves for model in models if (leaves := _by_path(fixed[model.layer_id]))},
        "optimizers": _numbered(state.optimizers),
        "balancers": _numbered(state.balancers),
        "chains": _numbered(state.chains),
        "points": points,
        "key": state.key,
        "epoch": state.epoch,
    }
    # Orbax does not keep empty dicts apart from missing ones
    return {name: value for name, value in arrays.items() if not isinstance(value, dict) or value}, {
        "models": [model.model_key for model in trained],
        "all_models": [model.model_key for model in models],
        "adapters": {model.model_key: module_settings(fixed[model.layer_id]) for model in models},
    }


def check_names(models: Sequence[Model]) -> None:
    """Refuse two models of the same name.

    Raises:
        ValueError: naming all of them.
    """
    names = [model.model_key for model in models]
    if len(set(names)) < len(names):
        raise ValueError(
            f"two models have the same name, so a checkpoint cannot tell them apart: {names}; give them different names"
        )


def with_fixed(checkpoint: Checkpoint, trained: Collection[int], models: Sequence[Model], fixed: Modules) -> Modules:
    """Modules without their trained leaves, with the leaves a checkpoint has of them; models are matched in order.

    Args:
        checkpoint: of an earlier run.
        trained: ids of the models that are trained.
        models: all models of the core.
        fixed: their modules without the trained leaves, by model id.

    Raises:
        ValueError: a checkpoint of other models or adapters, or without the leaves that were not trained; the message
            names what differs.
    """
    arrays, metadata = checkpoint.arrays, checkpoint.metadata
    names = [model.model_key for model in models if model.layer_id in trained]
    _check_order(metadata["models"], names, " trained")
    if "all_models" not in metadata:
        lacking = [model.model_key for model in models if _by_path(fixed[model.layer_id])]
        if lacking:
            raise ValueError(
                f"the checkpoint is of an earlier version and lacks the leaves of {', '.join(lacking)} that were not "
                "trained: this run cannot go on from it. CheckpointCallback(directory).restore()['trainable'] holds "
                "those that were"
            )
        return dict(fixed)
    _check_order(metadata["all_models"], [model.model_key for model in models], "")
    modules: Modules = {}
    for model, name in zip(models, metadata["all_models"], strict=True):
        module, stored = fixed[model.layer_id], arrays.get("fixed", {}).get(name, {})
        lines = misfits(module, stored, _SOURCE) or misfits_of_settings(module, metadata["adapters"][name], _SOURCE)
        _refuse(lines, name)
        modules[model.layer_id] = replaced(module, stored)
    return modules


def resumed(checkpoint: Checkpoint, state: TrainState, models: Sequence[Model]) -> TrainState:
    """A fresh state with everything from a checkpoint; its models are matched in order.

    Raises:
        ValueError: a checkpoint of other models, optimizers or options; the message names what differs.
    """
    arrays, names = checkpoint.arrays, checkpoint.metadata["models"]
    trained = [model for model in models if model.layer_id in state.parameters]
    parameters = {
        model.layer_id: _weights(state.parameters[model.layer_id], arrays["weights"][name], name)
        for model, name in zip(trained, names, strict=True)
    }
    return dataclasses.replace(
        state,
        parameters=parameters,
        optimizers=_filled(state.optimizers, arrays.get("optimizers", {}), "optimizer states"),
        balancers=_filled(state.balancers, arrays.get("balancers", {}), "states of balancers"),
        chains=_filled(state.chains, arrays.get("chains", {}), "Markov chains"),
        key=jnp.asarray(arrays["key"]),
        epoch=jnp.asarray(arrays["epoch"], state.epoch.dtype),
    )


def _check_order(stored: Sequence[str], names: Sequence[str], kind: str) -> None:
    """Refuse another number of models, and names that are in another place here: weights would change places."""
    described = f"the checkpoint has {len(stored)}{kind} models ({', '.join(stored)}), this core has {len(names)} "
    if len(stored) != len(names):
        raise ValueError(f"{described}({', '.join(names)})")
    displaced = [name for name, there in zip(names, stored, strict=True) if name != there and name in stored]
    if any(not has_numbered_name(name) for name in displaced):
        raise ValueError(
            f"{described}in another order ({', '.join(names)}): write the constraints in the order of that training"
        )


def _by_path(tree: PyTree) -> dict[str, Any]:
    """Arrays by path; those without entries hold nothing, and Orbax does not take them."""
    return {path: leaf for path, leaf in leaf_paths(tree) if leaf.size}


def _numbered(tree: PyTree) -> dict[str, Any]:
    return {str(number): leaf for number, leaf in enumerate(jax.tree_util.tree_leaves(tree))}


def _weights(fresh: PyTree, stored: dict[str, Any], name: str) -> PyTree:
    _refuse(misfits(fresh, stored, _SOURCE), name)
    return replaced(fresh, stored)


def _refuse(lines: Sequence[str], name: str) -> None:
    if lines:
        raise ValueError(f"the checkpoint does not fit the model {name!r}: {'; '.join(lines)}")


def _filled(fresh: PyTree, stored: dict[str, Any], what: str) -> PyTree:
    leaves, structure = jax.tree_util.tree_flatten(fresh)
    values = [stored.get(str(number)) for number in range(len(leaves))]
    if len(stored) != len(leaves) or not all(map(_fits, leaves, values)):
        raise ValueError(
            f"the {what} of the checkpoint do not fit: resume with the optimizers, posteriors, balancers and "
            "substeps= it was written with"
        )
    filled = [jnp.asarray(value, leaf.dtype) for leaf, value in zip(leaves, values, strict=True)]
    return jax.tree_util.tree_unflatten(structure, filled)


def _fits(fresh: ArrayLike, stored: ArrayLike | None) -> bool:
    return stored is not None and jnp.shape(fresh) == jnp.shape(stored)
