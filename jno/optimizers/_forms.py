"""The forms in which an optax transform can come."""

from __future__ import annotations

import inspect
from typing import Any

import optax

from jno.trace import is_transformation


def as_transformation(optimizer: Any, function: str) -> optax.GradientTransformationExtraArgs:
    """A transform whose ``update`` takes keywords.

    Args:
        optimizer: an optax transform, or an object with its methods ``init`` and ``update`` such as
            `optax.MultiSteps`.
        function: who was given it, for the message.

    Raises:
        TypeError: ``optimizer`` is neither.

    Example:
        >>> import optax
        >>> from jno.optimizers import as_transformation
        >>> accumulating = as_transformation(optax.MultiSteps(optax.sgd(0.1), every_k_schedule=4), "example")
        >>> accumulating.init({"w": 0.0}).mini_step.item()
        0
    """
    if isinstance(optimizer, optax.GradientTransformation):
        return optax.with_extra_args_support(optimizer)
    if not is_transformation(optimizer):
        raise TypeError(
            f"{function} must be an optax transform, got {type(optimizer).__name__}; build it first, e.g. "
            "optax.adam(1e-3)"
        )
    kinds = {parameter.kind for parameter in inspect.signature(optimizer.update).parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return optax.GradientTransformationExtraArgs(optimizer.init, optimizer.update)
    return optax.with_extra_args_support(optax.GradientTransformation(optimizer.init, optimizer.update))
