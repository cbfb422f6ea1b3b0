"""The layers that the adapters of this package wrap, and their kernels as matrices.

A kernel is the matrix ``(m, n)`` that a linear layer multiplies by: ``m`` outputs; ``n`` inputs, and for a convolution
``n = (in / groups)·k…`` entries of a patch, channel by channel.  With groups the rows of one group share their ``n``
inputs, and corrections of the matrix are corrections of the kernel all the same.
"""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jno.utils import KEY, Key, checked, is_integer, is_real

from ._wrapper import Layer, LoRAWrapper

_LARGEST_RANK = 1_000_000


# foundax is imported on first use: `import jno` stays light
@functools.cache
def linear_layers() -> tuple[type, ...]:
    """Layers with a weight ``(m, n)``."""
    from foundax.layers import Linear

    return (eqx.nn.Linear, Linear)


@functools.cache
def channels_last_convolutions() -> dict[type, int]:
    """Layers with a weight ``(k…, in, m)`` and their number of spatial dimensions."""
    from foundax.architectures.common import Conv2d
    from foundax.architectures.deeponet import Conv1dCL
    from foundax.architectures.unet import Conv1dNHWC, Conv2dNHWC, Conv3dNHWC

    return {Conv2d: 2, Conv1dCL: 1, Conv1dNHWC: 1, Conv2dNHWC: 2, Conv3dNHWC: 3}


def channels_last(layer: object) -> bool:
    """Whether the kernel of the layer has its channels last."""
    return isinstance(layer, tuple(channels_last_convolutions()))


def convolutions() -> tuple[type, ...]:
    """Convolutions that are not transposed."""
    return (eqx.nn.Conv, *channels_last_convolutions())


LAYERS: dict[str, Callable[[], tuple[type, ...]]] = {"linear": linear_layers, "convolution": convolutions}


class LayerAdapter(LoRAWrapper):
    """An adapter of linear layers or of convolutions.

    The call goes through the merged layer: with many points per call, forming the kernel once costs less than a
    second pass of all points (and of their derivatives) through the factors.
    """

    base: Layer
    kind: ClassVar[str]

    @checked(key=KEY)
    def __init__(self, base: Layer, rank: int, alpha: float | int, *, key: Key) -> None:
        matrix = self.checked_kernel(base, rank, alpha)
        self.base = base
        self.start(matrix, rank, alpha, key)

    @abc.abstractmethod
    def start(self, matrix: Float[Array, "m n"], rank: int, alpha: float | int, key: Key) -> None:
        """Set the arrays of the adapter of a kernel; called once, by the constructor."""

    @classmethod
    def applies_to(cls, layer: object) -> bool:
        """Whether ``layer`` is of this adapter's kind."""
        return isinstance(layer, LAYERS[cls.kind]())

    def __call__(self, x: Array, *, key: Key | None = None) -> Any:
        """The adapted layer at ``x``; ``key`` is not used."""
        return self.stop_frozen_gradients().merge()(x)

    @classmethod
    def checked_kernel(cls, base: Layer, rank: int, alpha: float | int) -> Float[Array, "m n"]:
        """The kernel of ``base`` after a check of what the constructor was given.

        Raises:
            TypeError: ``base`` is not a layer of this adapter's kind, its weight is not a real floating array.
            ValueError: ``rank`` below 1, ``alpha`` not positive, a weight with other axes or without entries.
        """
        name, kind = cls.__name__, type(base).__name__
        if not cls.applies_to(base):
            names = ", ".join(sorted({layer.__name__ for layer in LAYERS[cls.kind]()}))
            raise TypeError(f"{name} cannot wrap {kind}: it wraps {names} (argument base)")
        if not is_integer(rank, 1) or rank > _LARGEST_RANK:
            raise ValueError(f"{name}: rank must be an integer of at least 1, got {rank!r}; at most {_LARGEST_RANK}")
        if not (is_real(alpha) and alpha > 0):
            raise ValueError(f"{name}: alpha must be positive and finite, got {alpha!r}")
        weight = base.weight
        if not eqx.is_inexact_array(weight) or jnp.iscomplexobj(weight):
            kind_of_weight = weight.dtype if eqx.is_array(weight) else type(weight).__name__
            raise TypeError(f"{name}: the weight of {kind} must be a real floating-point array, got {kind_of_weight}")
        axes = _axes_of(base)
        if weight.ndim != axes or weight.size == 0:
            raise ValueError(
                f"{name}: the weight of {kind} must have {axes} axes and entries, got shape {weight.shape}; stacked "
                "layers cannot be wrapped: wrap first, then stack"
            )
        return matrix_of(base)


def _axes_of(layer: Layer) -> int:
    if isinstance(layer, eqx.nn.Conv):
        return layer.num_spatial_dims + 2
    return 2 + next((d for kind, d in channels_last_convolutions().items() if isinstance(layer, kind)), 0)


def matrix_of(layer: Layer) -> Float[Array, "m n"]:
    """The kernel of a layer as a matrix."""
    weight = layer.weight
    if channels_last(layer):
        weight = jnp.moveaxis(weight, (-1, -2), (0, 1))
    return weight.reshape(weight.shape[0], -1)


def with_matrix(layer: Layer, matrix: Float[Array, "m n"]) -> Any:
    """The layer with another kernel."""
    shape = layer.weight.shape
    if channels_last(layer):
        *window, inputs, outputs = shape
        weight = jnp.moveaxis(matrix.reshape(outputs, inputs, *window), (0, 1), (-1, -2))
    else:
        weight = matrix.reshape(shape)
    return eqx.tree_at(lambda layer: layer.weight, layer, weight)


def product(left: Float[Array, "m r"], right: Float[Array, "r n"]) -> Float[Array, "m n"]:
    """Matrix product in full precision: residuals of an SVD must cancel on devices that round factors."""
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def clamped(rank: int, *dimensions: int) -> int:
    """The rank, at most the smallest dimension."""
    return min(rank, *dimensions)


def random_factors(matrix: Float[Array, "m n"], rank: int, key: Key) -> tuple[Float[Array, "r n"], Float[Array, "m r"]]:
    """``A`` random and ``B`` zero: their product is no update yet."""
    m, n = matrix.shape
    return gaussian(key, rank, n, matrix.dtype), jnp.zeros((m, rank), matrix.dtype)


def gaussian(key: Key, rows: int, columns: int, dtype: DTypeLike) -> Float[Array, "rows columns"]:
    """Normal entries of variance ``1 / columns``."""
    return jax.random.normal(key, (rows, columns), dtype) / math.sqrt(columns)
