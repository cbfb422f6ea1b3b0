"""What can be asked of a model, as immutable records."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ._posterior import Posterior


@dataclasses.dataclass(frozen=True)
class ParameterGroup:
    """An optimizer, or a posterior, for the leaves a mask selects (``mask=None``: every leaf no other group takes)."""

    mask: Any
    optimizer: Any = None
    scale: Any = None
    posterior: Posterior | None = None
    inherits_scale: bool = True
    """Whether the scale of the model counts where a mask has none of its own."""


@dataclasses.dataclass(frozen=True)
class Initialization:
    """Weights to load when a ``core`` is built: a path, pytree, array, number or ``(key, shape, dtype)`` callable."""

    weights: Any
    key: Any = None


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A transform of the leaves a mask selects (``mask=None``: every floating leaf) before every use."""

    transform: Callable[[Any], Any]
    mask: Any = None


@dataclasses.dataclass(frozen=True)
class Adapters:
    """Low-rank adapters to put into a network when a ``core`` is built, as `jno.lora.apply_lora` takes them."""

    options: dict[str, Any]
    mask: Any = None


@dataclasses.dataclass(frozen=True)
class Controls:
    """Everything that can be asked of a model, as one immutable record."""

    default_group: ParameterGroup = ParameterGroup(mask=None)
    groups: tuple[ParameterGroup, ...] = ()
    frozen: bool = False
    freeze_masks: tuple[Any, ...] = ()
    dtype: Any = None
    constraints: tuple[Constraint, ...] = ()
    adapters: str | None = None
    """Trained of an adapted network: ``"only"`` the adapters, or the adapters ``"and rest"``, the unwrapped layers."""
