"""The forms in which an optimizer can be given, told apart without optax."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


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


def is_optimizer(value: Any) -> bool:
    """Whether ``value`` is an optax transform, a factory of one, or builds one when training begins."""
    return callable(value) or is_transformation(value) or isinstance(value, BuildsTransform)


def is_transformation(value: Any) -> bool:
    """Whether ``value`` is an optax transform, or an object with its methods ``init`` and ``update``."""
    built = isinstance(value, Transformation) and not isinstance(value, type)
    return built and callable(value.init) and callable(value.update)
