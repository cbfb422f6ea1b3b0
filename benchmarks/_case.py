"""What a benchmark problem is: sizes, how jNO states it, and the kernels that compute the same loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import Array, Float

LEARNING_RATE = 1e-3

NESTED = "nested"
"""Nested ``jax.jvp``, one derivative at a time."""
ONEPASS = "onepass"
"""Taylor coefficients propagated once."""
BLOCKED = "blocked"
"""The same with loss and gradient added up block by block of points."""
MODULE = "module"
"""No derivatives: the module, and the loss on top."""

Kernel = Callable[[Any, Mapping[str, Any]], Float[Array, ""]]
"""Loss of weights and data."""


def onepass(kernel: Callable[[Any], Kernel], variants: Mapping[str, Any]) -> dict[str, Kernel]:
    """One row per variant of the pass."""
    return {f"{ONEPASS} {name}": kernel(taylor) for name, taylor in variants.items()}


@dataclasses.dataclass(frozen=True)
class Size:
    """Points, hidden layers of a width, for operator learning samples and samples per step, and the coordinates."""

    points: int
    width: int = 64
    depth: int = 4
    samples: int = 1
    batch: int | None = None
    dimension: int = 2

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
    kernels: Mapping[str, Kernel]
    """By the name of their row, which begins with the name of a group; of `ONEPASS` the fastest variant counts."""
    forward: Callable[[Any, Mapping[str, Any]], Array]
    """Values of the field at all points of all samples."""
    full: Size
    quick: Size
