"""What is to be done with a model, as immutable records: its controls, and what the next core does to its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from jno.utils import FLOATING, require_int

from ._optimizer_forms import Optimizer
from ._posterior import Posterior
from ._tuning import Tuning

Mask: TypeAlias = Any
"""A pytree of booleans that mirrors a module: ``True`` where a leaf is selected."""

Scale: TypeAlias = float | int | Callable[..., Any]
"""A factor of the updates, or a schedule of it."""


_NO_CANDIDATES = Tuning()


@dataclasses.dataclass(frozen=True)
class ParameterGroup:
    """An optimizer, or a posterior, for the leaves a mask selects (``mask=None``: every leaf no other group takes)."""

    mask: Mask
    optimizer: Optimizer | None = None
    scale: Scale | None = None
    posterior: Posterior | None = None
    inherits_scale: bool = True
    """Whether the scale of the model counts where a mask has none."""


@dataclasses.dataclass(frozen=True)
class Initialization:
    """Weights to load when a ``core`` is built: a path, pytree, array, number or ``(key, shape, dtype)`` callable."""

    weights: Any
    key: Any = None
    served: bool = False
    """Whether a core has loaded them."""


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A transform of the leaves a mask selects (``mask=None``: every floating leaf) before every use."""

    transform: Callable[[Any], Any]
    mask: Mask = None


@dataclasses.dataclass(frozen=True)
class Adapters:
    """Low-rank adapters to put into a network when a ``core`` is built, as `jno.lora.apply_lora` takes them."""

    options: Mapping[str, Any]
    mask: Mask = None
    served: bool = False
    """Whether a core has put them in."""

    @classmethod
    def checked(
        cls,
        rank: object,
        alpha: float | int,
        target: str | None,
        wrapper: object,
        specs: Sequence[Mapping[str, Any]] | None,
        mask: Mask,
    ) -> Adapters:
        """The request of `Model.lora`.

        Raises:
            ValueError: a rank below one, or ``specs`` beside ``target`` or ``wrapper``.
        """
        require_int(rank, "lora(rank)", minimum=1, subject="the rank")
        if specs is not None and (target is not None or wrapper is not None):
            raise ValueError("lora(specs=...) says target and wrapper for every spec; leave out target= and wrapper=")
        if specs is not None and not (
            isinstance(specs, list | tuple) and specs and all(isinstance(s, Mapping) for s in specs)
        ):
            raise TypeError(f"lora(specs={specs!r}): specs must be a list of dictionaries with target and rank")
        tried = () if wrapper is None else wrapper if isinstance(wrapper, list | tuple) else (wrapper,)
        if wrapper is not None and not (
            tried and all(isinstance(entry, type) and callable(getattr(entry, "applies_to", None)) for entry in tried)
        ):
            raise TypeError(
                f"lora(wrapper={wrapper!r}): wrapper must be an adapter class of jno.lora, or a list of them"
            )
        wrappers = None if wrapper is None else tuple(wrapper) if isinstance(wrapper, list | tuple) else (wrapper,)
        options = {"rank": rank, "alpha": float(alpha), "target": target, "specs": specs, "wrappers": wrappers}
        return cls(options, mask)


@dataclasses.dataclass(frozen=True)
class Controls:
    """Everything that can be asked of a model, as one immutable record."""

    default_group: ParameterGroup = ParameterGroup(mask=None)
    groups: tuple[ParameterGroup, ...] = ()
    frozen: bool = False
    freeze_masks: tuple[Mask, ...] = ()
    dtype: Any = None
    constraints: tuple[Constraint, ...] = ()
    adapters: Literal["only", "and rest"] | None = None
    """Trained of an adapted network: ``"only"`` the adapters, or the adapters ``"and rest"``, the unwrapped layers."""
    initialization: Initialization | None = None
    """Weights of `Model.initialize`."""
    lora: Adapters | None = None
    """Adapters of `Model.lora`."""
    start: Initialization | None = None
    """What chooses the start of chains from the log density of the posterior."""
    tuning: Tuning = _NO_CANDIDATES
    """What a sweep may try."""

    # --- groups of leaves -------------------------------------------------------------------------------------
    def group(self, mask: Mask) -> ParameterGroup:
        """The group of a mask (``None``: of the leaves without one), an empty one if nothing was said of it."""
        if mask is None:
            return self.default_group
        same = (group for group in self.groups if group.mask is mask or group.mask == mask)
        return next(same, ParameterGroup(mask))

    def with_group(self, mask: Mask, **changes: Any) -> Controls:
        """These controls with changes of the group of a mask (``None``: of the leaves without one)."""
        if mask is None:
            return dataclasses.replace(self, default_group=dataclasses.replace(self.default_group, **changes))
        groups = list(self.groups)
        for position, group in enumerate(groups):
            if group.mask is mask or group.mask == mask:
                groups[position] = dataclasses.replace(group, **changes)
                return dataclasses.replace(self, groups=tuple(groups))
        return dataclasses.replace(self, groups=(*groups, ParameterGroup(mask, **changes)))

    # --- what the next core does ------------------------------------------------------------------------------
    @property
    def waiting_initialization(self) -> Initialization | None:
        """The weights that the next core loads."""
        return None if self.initialization is None or self.initialization.served else self.initialization

    @property
    def waiting_lora(self) -> Adapters | None:
        """The adapters that the next core puts in."""
        return None if self.lora is None or self.lora.served else self.lora

    def with_requests(self, *, served: bool) -> Controls:
        """These controls after a core has loaded weights and put in adapters, or as before."""
        weights = None if self.initialization is None else dataclasses.replace(self.initialization, served=served)
        adapters = None if self.lora is None else dataclasses.replace(self.lora, served=served)
        return dataclasses.replace(self, initialization=weights, lora=adapters)


def checked_dtype(dtype: object) -> object:
    """A floating dtype object, as `Model.dtype` takes it.

    Raises:
        ValueError: a string, or what is not a floating dtype.
    """
    if isinstance(dtype, str):
        raise ValueError(
            f"dtype({dtype!r}): give a dtype object such as jnp.float32; for double precision of all data set "
            "jax_enable_x64 before building models and domains"
        )
    if not FLOATING.accepts(dtype):
        raise ValueError(f"dtype({dtype!r}): a floating dtype such as jnp.float32 or jnp.bfloat16 is needed")
    return dtype
