"""Factors of an optimizer's updates: numbers, schedules, and rules with a state of their own."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import io_callback

from jno.adaptive import DLRS
from jno.utils import get_logger

from ._dtypes import like


@dataclasses.dataclass(frozen=True)
class Scale:
    """``step(state, epoch, losses) -> (factor, state)``, where ``init()`` is the first state."""

    init: Callable[[], Any]
    step: Callable[[Any, Any, Any], tuple[Any, Any]]


def as_scale(scale: Any, name: str, constraints: int = 1) -> Scale:
    """The rule of a number, a schedule ``epoch -> factor``, a callable of epoch and losses, or a `DLRS`.

    A callable that cannot be traced by JAX runs on the host in every step, which is logged once.

    Raises:
        ValueError: a callable of another number of arguments, or one that returns no single number.
    """
    if isinstance(scale, DLRS):
        return Scale(scale.init, lambda state, epoch, losses: scale.step(state, losses))
    if not callable(scale):
        return _stateless(lambda epoch, losses: jnp.asarray(float(scale)))
    function = _of_epoch_and_losses(scale, name)
    try:
        shape = jax.eval_shape(function, jnp.int32(0), jnp.zeros(constraints)).shape
    except (jax.errors.JAXTypeError, TypeError):
        get_logger().once(
            f"scale() of {name}: the schedule cannot be traced by JAX and runs on the host in every step, which is "
            "slower; write it with jax.numpy to run it on the device",
            level="warning",
        )
        return _stateless(_on_the_host(function, name))
    if shape != ():
        raise ValueError(f"scale() of {name}: the schedule must return one number, it returns shape {shape}")
    return _stateless(function)


def scaled(
    transform: optax.GradientTransformationExtraArgs, scale: Scale | None
) -> optax.GradientTransformationExtraArgs:
    """The transform with its updates multiplied; it also takes the keywords ``epoch`` and ``losses``.

    Updates have the dtypes of the parameters, and its state keeps those it began with.
    """

    def init(parameters: Any) -> Any:
        state = transform.init(parameters)
        return state if scale is None else (state, scale.init())

    def update(gradients: Any, state: Any, parameters: Any = None, *, epoch: Any, losses: Any, **extra: Any) -> Any:
        inner, own = (state, ()) if scale is None else state
        updates, moved = transform.update(gradients, inner, parameters, **extra)
        updates, moved = like(updates, gradients), like(moved, inner)
        if scale is None:
            return updates, moved
        factor, own = scale.step(own, epoch, losses)
        return jax.tree_util.tree_map(lambda u: u * jnp.asarray(factor).astype(u.dtype), updates), (moved, own)

    return optax.GradientTransformationExtraArgs(init, update)


def _stateless(function: Callable[[Any, Any], Any]) -> Scale:
    return Scale(lambda: (), lambda state, epoch, losses: (function(epoch, losses), state))


def _of_epoch_and_losses(scale: Callable[..., Any], name: str) -> Callable[[Any, Any], Any]:
    required = [p for p in inspect.signature(scale).parameters.values() if p.default is inspect.Parameter.empty]
    if len(required) > 2:
        raise ValueError(
            f"scale() of {name}: the schedule is called as schedule(epoch) or schedule(epoch, losses); it needs "
            f"{len(required)} arguments"
        )
    return lambda epoch, losses: jnp.asarray(scale(epoch, losses) if len(required) > 1 else scale(epoch))


def _on_the_host(function: Callable[[Any, Any], Any], name: str) -> Callable[[Any, Any], Any]:
    def call(epoch: Any, losses: Any) -> Any:
        value = np.asarray(function(int(epoch), np.asarray(losses)))
        if value.shape != ():
            raise ValueError(f"scale() of {name}: the schedule must return one number, it returns shape {value.shape}")
        return value.astype(jnp.result_type(float))

    result = jax.ShapeDtypeStruct((), jnp.result_type(float))
    return lambda epoch, losses: io_callback(call, result, epoch, losses)
