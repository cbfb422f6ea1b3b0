"""What every adapter is."""

from __future__ import annotations

import abc
import dataclasses
import operator
from typing import Any, ClassVar, TypeAlias

import equinox as eqx
import jax
from jaxtyping import Array

from jno.utils import Key

Layer: TypeAlias = Any
"""A layer with a `weight`; users may subclass `LoRAWrapper` for layers of any class."""

PIECES = "adapter_fields, applies_to(layer), __init__(base, rank, alpha, *, key), __call__(x, *, key=None) and merge()"


class LoRAWrapper(eqx.Module):
    """A layer together with a small trainable correction; it stands where the layer stood.

    Subclass it to add an adapter.  A subclass defines

    - ``adapter_fields``: the names of its trainable fields; everything else in it is frozen,
    - ``applies_to(layer)``: whether it can wrap ``layer``,
    - ``__init__(base, rank, alpha, *, key)``: equal to ``base`` as long as nothing is trained,
    - ``__call__``: the call of the wrapped layer,
    - ``merge()``: the plain layer, of the type of ``base``, that computes the same.

    ``shares_key = True`` asks `apply_lora` for the same random key in every layer.

    Raises:
        TypeError: on construction, if a piece is missing or ``adapter_fields`` names no field.

    Example:
        >>> import equinox as eqx, jax, jax.numpy as jnp
        >>> from jno.lora import LoRAWrapper, adapter_count, apply_lora
        >>> class Shift(LoRAWrapper):  # trains an offset of the output
        ...     base: eqx.nn.Linear
        ...     offset: jax.Array
        ...     adapter_fields = ("offset",)
        ...
        ...     @classmethod
        ...     def applies_to(cls, layer):
        ...         return isinstance(layer, eqx.nn.Linear) and layer.bias is not None
        ...
        ...     def __init__(self, base, rank, alpha, *, key):
        ...         self.base, self.offset = base, jnp.zeros_like(base.bias)
        ...
        ...     def __call__(self, x, *, key=None):
        ...         return self.stop_frozen_gradients().merge()(x)
        ...
        ...     def merge(self):
        ...         return eqx.tree_at(lambda layer: layer.bias, self.base, self.base.bias + self.offset)
        >>> net = eqx.nn.MLP(2, 1, 8, 2, key=jax.random.PRNGKey(0))
        >>> adapter_count(apply_lora(net, rank=1, key=jax.random.PRNGKey(1), wrappers=Shift))
        3
    """

    adapter_fields: ClassVar[tuple[str, ...]] = ()
    shares_key: ClassVar[bool] = False

    @abc.abstractmethod
    def __init__(self, base: Layer, rank: int, alpha: float | int, *, key: Key) -> None: ...

    @classmethod
    @abc.abstractmethod
    def applies_to(cls, layer: Layer) -> bool:
        """Whether this adapter can wrap ``layer``."""

    @abc.abstractmethod
    def __call__(self, x: Array, *, key: Key | None = None) -> Any:
        """The adapted layer at ``x``; shapes are those of the wrapped layer."""

    @abc.abstractmethod
    def merge(self) -> Layer:
        """The plain layer that computes the same."""

    def __check_init__(self) -> None:
        names = type(self).adapter_fields
        fields = [field.name for field in dataclasses.fields(self)]
        if isinstance(names, str) or not names or not set(names) <= set(fields):
            raise TypeError(
                f"{type(self).__name__}.adapter_fields = {names!r}: it must be a tuple with the names of the trainable "
                f"fields, from {fields}"
            )

    def adapter_filter(self) -> Any:
        """Filter of this wrapper: true at the inexact arrays of its ``adapter_fields``."""
        selection = jax.tree_util.tree_map(lambda _: False, self)
        for name in self.adapter_fields:
            trained = jax.tree_util.tree_map(eqx.is_inexact_array, getattr(self, name))
            selection = eqx.tree_at(operator.attrgetter(name), selection, trained)
        return selection

    def stop_frozen_gradients(self) -> Any:
        """The same wrapper; derivatives with respect to what is not an adapter field are zero."""
        trained, frozen = eqx.partition(self, self.adapter_filter())
        stopped = jax.tree_util.tree_map(
            lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_inexact_array(leaf) else leaf, frozen
        )
        return eqx.combine(trained, stopped)
