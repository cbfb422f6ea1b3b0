"""What a benchmark problem is: sizes, how jNO states it, and the kernels that compute the same loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import Array, Float

LEARNING_RATE = 1e-3

Kernel = Callable[[Any, Mapping[str, Any]], Float[Array, ""]]
"""Loss of weights and data."""


@dataclasses.dataclass(frozen=True)
class Size:
    """Collocation points, hidden layers of a width, and for operator learning samples and samples per step."""

    points: int
    width: int = 64
    depth: int = 4
    samples: int = 1
    batch: int | None = None

    @property
    def full_batch(self) -> Size:
        """One batch as the whole data set: a step is then deterministic, so losses can be compared."""
        return self if self.batch is None else dataclasses.replace(self, samples=self.batch, batch=None)


@dataclasses.dataclass(frozen=True)
class Built:
    """A problem stated in jNO, and the same arrays for the kernels."""

    crux: Any
    field: Any
    """The expression that evaluation throughput is measured on."""
    weights: Any
    data: Mapping[str, Any]
    per_sample: tuple[str, ...] = ()
    """Names in ``data`` with one row per sample: what a mini-batch selects from."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """One row of the table."""

    id: str
    build: Callable[[Size], Built]
    nested: Kernel
    """Nested ``jax.jvp``, one derivative at a time."""
    onepass: Mapping[str, Kernel]
    """Taylor coefficients propagated once; the fastest variant counts."""
    forward: Callable[[Any, Mapping[str, Any]], Array]
    """Values of the field at all points of all samples."""
    full: Size
    quick: Size
