"""The state of training as named arrays, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jno.architectures import leaf_paths
from jno.trace import Model

from ._state import TrainState


def snapshot(
    state: TrainState, models: Sequence[Model], points: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays by name, and what else must be known to read them: weights by model and path, the rest by number.

    ``points`` are those that resampling has replaced.
    """
    trained = [model for model in models if model.layer_id in state.parameters]
    weights = {model.model_key: dict(leaf_paths(state.parameters[model.layer_id])) for model in trained}
    if len(weights) < len(trained):
        raise ValueError(
            f"two models have the same name, so a checkpoint cannot tell them apart: {[m.model_key for m in trained]}; "
            "give them different names"
        )
    arrays = {
        "weights": weights,
        "optimizers": _numbered(state.optimizers),
        "balancers": _numbered(state.balancers),
        "chains": _numbered(state.chains),
        "points": points,
        "key": state.key,
        "epoch": state.epoch,
    }
    # Orbax does not keep empty dicts apart from missing ones
    return {name: value for name, value in arrays.items() if not isinstance(value, dict) or value}, {
        "models": [model.model_key for model in trained]
    }


def resumed(arrays: dict[str, Any], names: Sequence[str], state: TrainState, models: Sequence[Model]) -> TrainState:
    """A fresh state with everything from a checkpoint; its models are matched in order.

    Raises:
        ValueError: a checkpoint of other models, optimizers or options; the message names what differs.
    """
    trained = [model for model in models if model.layer_id in state.parameters]
    if len(trained) != len(names):
        raise ValueError(
            f"the checkpoint has {len(names)} trained models ({', '.join(names)}), this core has {len(trained)} "
            f"({', '.join(model.model_key for model in trained)})"
        )
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


def _numbered(tree: Any) -> dict[str, Any]:
    return {str(number): leaf for number, leaf in enumerate(jax.tree_util.tree_leaves(tree))}


def _weights(fresh: Any, kept: dict[str, Any], name: str) -> Any:
    own = dict(leaf_paths(fresh))
    differing = [path for path in sorted(own.keys() | kept.keys()) if not _fits(own.get(path), kept.get(path))]
    if differing:
        raise ValueError(f"the checkpoint does not fit the model {name!r}: {', '.join(differing)} differ in shape")
    leaves = iter([jnp.asarray(kept[path], leaf.dtype) for path, leaf in own.items()])
    return jax.tree_util.tree_map(lambda _: next(leaves), fresh)


def _filled(fresh: Any, kept: dict[str, Any], what: str) -> Any:
    leaves, structure = jax.tree_util.tree_flatten(fresh)
    values = [kept.get(str(number)) for number in range(len(leaves))]
    if len(kept) != len(leaves) or not all(map(_fits, leaves, values)):
        raise ValueError(
            f"the {what} of the checkpoint do not fit: resume with the optimizers, posteriors, balancers and "
            "substeps= it was written with"
        )
    filled = [jnp.asarray(value, leaf.dtype) for leaf, value in zip(leaves, values, strict=True)]
    return jax.tree_util.tree_unflatten(structure, filled)


def _fits(first: Any, second: Any) -> bool:
    return first is not None and second is not None and jnp.shape(first) == jnp.shape(second)
