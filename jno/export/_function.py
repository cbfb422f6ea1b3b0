"""What is exported: a function of arrays, with sample arguments and names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jaxtyping import Array, Shaped

Dimension: TypeAlias = Any
"""A number of rows, or a symbol for it."""


@runtime_checkable
class TypedShape(Protocol):
    """Shape and type of an array, known before its values."""

    @property
    def shape(self) -> tuple[Dimension, ...]:
        """Length of every axis."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the entries."""


@dataclasses.dataclass(frozen=True)
class Argument:
    """A named argument; ``by_rows``: its leading axis may have any length, the same for all such arguments."""

    name: str
    sample: Array
    by_rows: bool

    def spec(self, rows: Dimension) -> jax.ShapeDtypeStruct:
        """Shape and type, with ``rows`` (a number or a symbol) as the length of a free leading axis."""
        shape = (rows, *self.sample.shape[1:]) if self.by_rows else self.sample.shape
        return jax.ShapeDtypeStruct(shape, self.sample.dtype)


@dataclasses.dataclass(frozen=True)
class ArrayFunction:
    """``call(*arrays)`` returns an array or a tuple of arrays; weights are constants in it."""

    name: str
    call: Callable[..., Any]
    arguments: tuple[Argument, ...]

    @property
    def samples(self) -> list[Array]:
        """Sample arguments."""
        return [argument.sample for argument in self.arguments]

    def symbolic(self) -> list[jax.ShapeDtypeStruct]:
        """Shapes with one symbol ``n`` for the number of rows."""
        (rows,) = export.symbolic_shape("n")
        return [argument.spec(rows) for argument in self.arguments]


def differs(result: Shaped[Array | np.ndarray, "n ..."], reference: Shaped[Array | np.ndarray, "m ..."]) -> bool:
    """Whether two results are further apart than rounding explains; a single row counts for all rows."""
    rows = {len(result), len(reference)}
    if result.shape[1:] != reference.shape[1:] or (len(rows) > 1 and 1 not in rows):
        return True
    tolerance = float(jnp.finfo(result.dtype).eps) ** 0.5 if jnp.issubdtype(result.dtype, jnp.inexact) else 0.0
    kind = np.complex128 if jnp.iscomplexobj(result) else np.float64
    a, b = np.asarray(result).astype(kind), np.asarray(reference).astype(kind)
    scale = float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a)))
    return not np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
