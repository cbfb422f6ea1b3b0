"""Factors of an optimizer's updates: numbers, schedules, and rules that carry a state."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import io_callback
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from jno.adaptive import DLRS
from jno.utils import get_logger

from ._dtypes import like

Count: TypeAlias = Int[Array, ""]
"""The number of the gradient step, counted over all epochs."""

Losses: TypeAlias = Float[Array, " C"]
"""The newest losses of all constraints."""

Schedule: TypeAlias = Callable[[Any, Any], Any]
"""From count and losses to the factor."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """``step(state, epoch, losses) -> (factor, state)``, where ``init()`` is the first state."""

    init: Callable[[], PyTree]
    step: Callable[[PyTree, Count, Losses], tuple[Array, PyTree]]


def as_scale(scale: Any, name: str, constraints: int = 1) -> Scale:
    """The rule of a number, a schedule ``epoch -> factor``, a callable of epoch and losses, or a `DLRS`.

    A callable that cannot be traced by JAX runs on the host in every step, which is logged once.

    Raises:
        ValueError: a callable of another number of arguments, or one that returns something else than one number.
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

    def init(parameters: PyTree) -> PyTree:
        state = transform.init(parameters)
        return state if scale is None else (state, scale.init())

    def update(
        gradients: PyTree, state: PyTree, parameters: PyTree = None, *, epoch: Count, losses: Losses, **extra: Any
    ) -> tuple[PyTree, PyTree]:
        inner, scale_state = (state, ()) if scale is None else state
        updates, new_inner = transform.update(gradients, inner, parameters, **extra)
        updates, new_inner = like(updates, gradients), like(new_inner, inner)
        if scale is None:
            return updates, new_inner
        factor, scale_state = scale.step(scale_state, epoch, losses)
        scaled_updates = jax.tree_util.tree_map(lambda u: u * jnp.asarray(factor).astype(u.dtype), updates)
        return scaled_updates, (new_inner, scale_state)

    return optax.GradientTransformationExtraArgs(init, update)


def _stateless(function: Schedule) -> Scale:
    return Scale(lambda: (), lambda state, epoch, losses: (function(epoch, losses), state))


def _of_epoch_and_losses(scale: Callable[..., ArrayLike], name: str) -> Schedule:
    required = [p for p in inspect.signature(scale).parameters.values() if p.default is inspect.Parameter.empty]
    if len(required) > 2:
        raise ValueError(
            f"scale() of {name}: the schedule is called as schedule(epoch) or schedule(epoch, losses); it needs "
            f"{len(required)} arguments"
        )
    return lambda epoch, losses: jnp.asarray(scale(epoch, losses) if len(required) > 1 else scale(epoch))


def _on_the_host(function: Schedule, name: str) -> Schedule:
    def call(epoch: Array, losses: Array) -> np.ndarray:
        value = np.asarray(function(int(epoch), np.asarray(losses)))
        if value.shape != ():
            raise ValueError(f"scale() of {name}: the schedule must return one number, it returns shape {value.shape}")
        return value.astype(jnp.result_type(float))

    result = jax.ShapeDtypeStruct((), jnp.result_type(float))
    return lambda epoch, losses: io_callback(call, result, epoch, losses)
