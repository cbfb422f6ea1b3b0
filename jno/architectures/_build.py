"""Bringing a model's module up to date with what was asked of it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax

from jno.trace import Model

from ._flax import FlaxLinen, is_uninitialized
from ._initialize import initialized


def build_module(model: Model, key: Any) -> None:
    """Initialise lazy modules, load pending weights and cast to the working dtype; each request is served once."""
    if isinstance(model.module, FlaxLinen) and is_uninitialized(model.module):
        model.module = model.module.initialized(key)
    pending = model.pending_initialization
    if pending is not None:
        chosen = next((k for k in (pending.key, model.default_key) if k is not None), key)
        model.module = initialized(model.module, pending.weights, chosen, model.model_key)
        model.pending_initialization = None
    if model.controls.dtype is not None:
        model.module = cast_floating(model.module, model.controls.dtype)


def cast_floating(module: Any, dtype: Any) -> Any:
    """The module with every floating array in ``dtype``."""
    return jax.tree_util.tree_map(lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, module)
