"""Bringing a model's module up to date with what was asked of it."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
from jax.typing import DTypeLike
from jaxtyping import PyTree

from jno.lora import apply_lora
from jno.trace import Model
from jno.utils import Key

from ._flax import initialized_parts, is_uninitialized
from ._initialize import initialized
from ._leaves import DoesNotFitError
from ._masks import checked_mask

_ADAPTER_STREAM = 0x10AA


def build_module(model: Model, key_of: Callable[[], Key]) -> None:
    """Initialise lazy modules, load pending weights, put in adapters and cast to the dtype; each request once.

    Args:
        model: whose module is built.
        key_of: makes the random key; most modules are complete and need none, and making one compiles programs.
    """
    if is_uninitialized(model.module):
        model.module = initialized_parts(model.module, key_of())
    for constraint in model.controls.constraints:
        if constraint.mask is not None:
            checked_mask(model.module, constraint.mask, f"{model.model_key}.constrain()")
    plain = model.module
    try:
        loaded, adapted = _loaded(model, plain, key_of), False
    except DoesNotFitError as error:
        # weights of an adapted network: the adapters come first
        if model.controls.waiting_lora is None:
            raise
        loaded, adapted = _loaded_with_adapters(model, plain, key_of, error), True
    model.module = loaded if adapted else _adapted(model, loaded, key_of)
    model.controls = model.controls.with_requests(served=True)
    if model.controls.dtype is not None:
        model.module = cast_floating(model.module, model.controls.dtype)


def _loaded(model: Model, module: PyTree, key_of: Callable[[], Key]) -> PyTree:
    """The module with the weights that wait for it."""
    pending = model.controls.waiting_initialization
    if pending is None:
        return module
    requested = next((key for key in (pending.key, model.default_key) if key is not None), None)
    return initialized(module, pending.weights, key_of() if requested is None else requested, model.model_key)


def _loaded_with_adapters(model: Model, module: PyTree, key_of: Callable[[], Key], error: DoesNotFitError) -> PyTree:
    """The module with its adapters and the weights of both."""
    try:
        return _loaded(model, _adapted(model, module, key_of), key_of)
    except DoesNotFitError as second_error:
        raise ValueError(f"{error}. With the adapters of lora(): {second_error}") from second_error


def _adapted(model: Model, module: PyTree, key_of: Callable[[], Key]) -> PyTree:
    """The module with the adapters that wait for it."""
    adapters = model.controls.waiting_lora
    if adapters is None:
        return module
    mask = adapters.mask
    if mask is not None:
        mask = checked_mask(module, mask, f"{model.model_key}.lora()")
    return apply_lora(module, key=jax.random.fold_in(key_of(), _ADAPTER_STREAM), param_mask=mask, **adapters.options)


def cast_floating(module: PyTree, dtype: DTypeLike) -> PyTree:
    """The module with every floating array in ``dtype``."""
    return jax.tree_util.tree_map(lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, module)
