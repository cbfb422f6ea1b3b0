"""Bringing a model's module up to date with what was asked of it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax

from jno.lora import apply_lora
from jno.trace import Model

from ._flax import FlaxLinen, is_uninitialized
from ._initialize import initialized
from ._masks import checked_mask

_ADAPTER_STREAM = 0x10AA


def build_module(model: Model, key: Any) -> None:
    """Initialise lazy modules, load pending weights, put in adapters and cast to the dtype; each request once."""
    if isinstance(model.module, FlaxLinen) and is_uninitialized(model.module):
        model.module = model.module.initialized(key)
    pending = model.pending_initialization
    if pending is not None:
        chosen = next((k for k in (pending.key, model.default_key) if k is not None), key)
        model.module = initialized(model.module, pending.weights, chosen, model.model_key)
        model.applied_initialization, model.pending_initialization = pending, None
    for constraint in model.controls.constraints:
        if constraint.mask is not None:
            checked_mask(model.module, constraint.mask, f"{model.model_key}.constrain()")
    adapters = model.pending_adapters
    if adapters is not None:
        mask = adapters.mask
        if mask is not None:
            mask = checked_mask(model.module, mask, f"{model.model_key}.lora()")
        own_key = jax.random.fold_in(key, _ADAPTER_STREAM)
        model.module = apply_lora(model.module, key=own_key, param_mask=mask, **adapters.options)
        model.applied_adapters, model.pending_adapters = adapters, None
    if model.controls.dtype is not None:
        model.module = cast_floating(model.module, model.controls.dtype)


def cast_floating(module: Any, dtype: Any) -> Any:
    """The module with every floating array in ``dtype``."""
    return jax.tree_util.tree_map(lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, module)
