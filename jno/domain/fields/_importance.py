"""Weights that turn means over graded points into means over uniform ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float

from jno.sampler import Graded, RandomResampling
from jno.trace import FunctionCall
from jno.utils import TEXT, checked

from ..drawable import BisectedCells, graded_cells
from ..sampling import DomainView, columns
from ._boundary_parts import single_geometry


@checked(tag=TEXT)
def importance_weights(self: DomainView, tag: str = "interior") -> FunctionCall:
    """The uniform density over the density that points were drawn with, at the points.

    `(w * f).mean()` over points of `jno.sampler.graded(...)` has the expectation of `f.mean()` over uniform points,
    exactly: so means, losses and Monte Carlo integrals keep their meaning while the points are denser at places. The
    weights are at most `1 / (1 - share)`, and their derivatives are zero. Without them a mean weighs the surroundings
    of the places more.

    Args:
        tag: a sampled tag, or its key (`interior`).

    Returns:
        An expression `(N, 1)` in the coordinates of `tag`; it follows points that are redrawn.

    Raises:
        ValueError: points that were not drawn by `jno.sampler.graded(...)`, or that a strategy replaces by others than
            random ones.
        NotImplementedError: merged domains with different geometries.

    Example:
        >>> import jno
        >>> d = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)])
        >>> x, y, t = d.variable("interior", (4096, jno.sampler.graded("left", finest=0.05)))
        >>> w = d.importance_weights()
        >>> bool(x.mean().eval().item() < 0.4), round((w * x).mean().eval().item(), 2)
        (True, 0.5)
    """
    geometry = single_geometry(self, "importance_weights()")
    record = self.samples.find(tag)
    sampler = None if record is None else record.shape_sampler
    if record is None or not isinstance(sampler, Graded):
        raise ValueError(
            f"importance_weights({tag!r}) needs points drawn by jno.sampler.graded(...): "
            f"domain.variable({tag!r}, (n, jno.sampler.graded(near))). Other drawn points are uniform, and nodes of a "
            "mesh have no density."
        )
    strategy = record.resampling_strategy
    if strategy is not None and not isinstance(strategy, RandomResampling):
        raise ValueError(
            f"importance_weights({tag!r}): {type(strategy).__name__} replaces the points by others, whose density is "
            "not known. Use jno.sampler.random(...), or leave resampling_strategy= out."
        )
    cells = graded_cells(geometry, record.region, sampler)
    return FunctionCall(_Weights(cells), columns(record.tag, self.dimension, self), "importance", align="broadcast")


class _Weights:
    """One over the density of cells."""

    def __init__(self, cells: BisectedCells) -> None:
        self._cells = cells

    def __call__(self, *coordinates: Float[jax.Array, "N 1"]) -> Float[jax.Array, "N 1"]:
        return 1.0 / jnp.asarray(self._cells.density(*coordinates))
