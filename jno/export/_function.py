"""What is exported: a function of arrays, with sample arguments and names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export


@dataclasses.dataclass(frozen=True)
class Argument:
    """A named argument; ``by_rows``: its leading axis may have any length, the same for all such arguments."""

    name: str
    sample: Any
    by_rows: bool

    def spec(self, rows: Any) -> jax.ShapeDtypeStruct:
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
    def samples(self) -> list[Any]:
        """Sample arguments."""
        return [argument.sample for argument in self.arguments]

    def symbolic(self) -> list[jax.ShapeDtypeStruct]:
        """Shapes with one symbol ``n`` for the number of rows."""
        (rows,) = export.symbolic_shape("n")
        return [argument.spec(rows) for argument in self.arguments]


def differs(first: Any, second: Any) -> bool:
    """Whether two results are further apart than rounding explains; a single row counts for all rows."""
    if first.shape[1:] != second.shape[1:] or (first.shape != second.shape and 1 not in (len(first), len(second))):
        return True
    tolerance = float(jnp.finfo(first.dtype).eps) ** 0.5 if jnp.issubdtype(first.dtype, jnp.inexact) else 0.0
    kind = np.complex128 if jnp.iscomplexobj(first) else np.float64
    a, b = np.asarray(first).astype(kind), np.asarray(second).astype(kind)
    scale = float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a)))
    return not np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
