"""A training step beside the matrix products it cannot do without, over widths, depths and numbers of points."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ._case import Size
from ._measure import Effort, interleaved, ratio
from ._runners import SOLVE, competitors
from .problems import PROBLEMS

_COEFFICIENTS = 4
"""Value, two slopes and the Laplacian of poisson2d pass through every layer."""

SIZES = (
    *(Size(points=790, width=width) for width in (64, 128, 256, 512, 1024)),
    *(Size(points=790, width=256, depth=depth) for depth in (2, 8)),
    *(Size(points=points, width=256) for points in (200, 3000)),
)
"""`depth` counts hidden layers."""

_FLOOR = "products"


class Products:
    """The products between hidden layers, forwards and backwards, and nothing else.

    Every coefficient meets the matrix of a layer; backwards its gradient meets the transposed matrix, and the gradient
    of the matrix is a product of both.
    """

    def __init__(self, size: Size) -> None:
        keys = iter(jax.random.split(jax.random.PRNGKey(0), _COEFFICIENTS + size.depth))
        draw = lambda *shape: jax.random.normal(next(keys), shape) / shape[-1] ** 0.5  # noqa: E731
        self._streams = [draw(size.points, size.width) for _ in range(_COEFFICIENTS)]
        self._matrices = [draw(size.width, size.width) for _ in range(size.depth - 1)]
        self._step = jax.jit(jax.grad(_sum_of_products, argnums=(0, 1)))

    def advance(self, count: int) -> None:
        """Do the products of ``count`` steps."""
        results = None
        for _ in range(count):
            results = self._step(self._streams, self._matrices)
        jax.block_until_ready(results)

    def losses(self, count: int) -> list[float]:
        """There are none."""
        return []

    def temporary_bytes(self) -> int | None:
        """Not asked for."""
        return None


def _sum_of_products(streams: list[Any], matrices: list[Any]) -> Any:
    for matrix in matrices:
        streams = [stream @ matrix for stream in streams]
    return sum(jnp.sum(jnp.square(stream)) for stream in streams)


def products_per_step(size: Size) -> int:
    """How many products of ``(points, width)`` with ``(width, width)`` a step cannot do without."""
    return 3 * _COEFFICIENTS * (size.depth - 1)


def scaling_row() -> dict[str, Any]:
    """How many times as long as the products a step of `solve` takes, by wall and by processor time."""
    figures = {}
    (contestant,) = (c for c in competitors(PROBLEMS["poisson2d"]) if c.name == SOLVE)
    for size in SIZES:
        blocks = interleaved({SOLVE: contestant.start(size), _FLOOR: Products(size)}, Effort(rounds=5))
        quotient = ratio(blocks[SOLVE], blocks[_FLOOR])
        label = f"{size.depth} x {size.width}, {size.points} points"
        figures[f"{label}: step / products, wall"] = quotient.wall
        figures[f"{label}, processor"] = quotient.processor
    return figures
