"""The forms in which an optimizer can be given, told apart without optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable


@runtime_checkable
class BuildsTransform(Protocol):
    """An optimizer that is built when training begins, as `jno.optimizers.md`."""

    def transform(self) -> Any:
        """The optax transform."""


@runtime_checkable
class Transformation(Protocol):
    """An optax transform, or an object with the same two methods, as `optax.MultiSteps`."""

    init: Any
    update: Any


Optimizer: TypeAlias = Transformation | BuildsTransform | Callable[..., Any]
"""An optax transform, what builds one when training begins, or a factory such as `optax.adam`."""


def is_optimizer(value: object) -> bool:
    """Whether ``value`` is an optax transform, a factory of one, or builds one when training begins."""
    return callable(value) or is_transformation(value) or isinstance(value, BuildsTransform)


def is_transformation(value: object) -> bool:
    """Whether ``value`` is an optax transform, or an object with its methods ``init`` and ``update``."""
    if isinstance(value, type) or not isinstance(value, Transformation):
        return False
    return callable(value.init) and callable(value.update)
