"""Regions in which points are denser near places: small cells with a density each."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from jno.sampler import Graded

from ..geometry import Geometry
from ._bisection import BisectedCells, bisected, sizes_of
from ._drawable import DrawableSimplices, PointsAndNormals, draw, drawable_of
from ._near import NearSet, near_set
from ._samplers import Sampler

# A cell is cut while it is longer than this times its distance from a place, so that the density varies little in it.
_RATIO = 0.5
# `finest` in units of the extent, by the dimension of the place, on a line, a plane (or surface) and in space: so many
# cells touch the place.
_FINEST = {1: (1e-3,), 2: (1e-3, 1e-3), 3: (1e-3, 1e-2, 1.0 / 30.0)}


@lru_cache(maxsize=16)
def graded_cells(geometry: Geometry, name: str, sampler: Graded) -> BisectedCells:
    """The cells of a region and their densities, relative to a uniform one.

    Raises:
        ValueError: the region has no simplices, a place is unknown, or `finest` asks for too many cells.
    """
    roots = drawable_of(geometry, name).simplices
    if roots is None:
        raise ValueError(
            f"graded(...) draws from cells, edges or faces, and the tag {name!r} has none: it is a predicate on a "
            "shape, a set of single nodes, or a body without a mesh. Give it as a shapely geometry, or build a mesh."
        )
    sets = [near_set(geometry, place) for place in sampler.near]
    extent = float(np.linalg.norm(np.ptp(roots.corners.reshape(-1, geometry.dimension), axis=0)))
    finest = [_finest(sampler, roots.corners.shape[1] - 1, near, extent) for near in sets]

    def resolution(points: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " N"]:
        lengths = [near.distances(points) + least for near, least in zip(sets, finest, strict=True)]
        return _RATIO * np.min(lengths, axis=0)

    cells = bisected(roots.corners, roots.normals, resolution, f"{name!r}, {sampler!r}")
    sizes, centroids = sizes_of(cells.corners), cells.corners.mean(axis=1)
    densities = np.full(len(sizes), 1.0 - sampler.share)
    for near, least in zip(sets, finest, strict=True):
        power = max(roots.corners.shape[1] - 1 - near.dimension, 1) if sampler.power is None else sampler.power
        growth = (near.distances(centroids) + least) ** -power
        densities += sampler.share / len(sets) * growth * sizes.sum() / np.sum(growth * sizes)
    return cells.with_densities(densities)


def _finest(sampler: Graded, dimension: int, near: NearSet, extent: float) -> float:
    if sampler.finest is not None:
        return sampler.finest
    shares = _FINEST[min(dimension, 3)]
    return extent * shares[min(near.dimension, len(shares) - 1)]


@lru_cache(maxsize=16)
def graded_region(geometry: Geometry, name: str, sampler: Graded) -> DrawableSimplices:
    """The region with these densities, as the image of the unit cube."""
    cells = graded_cells(geometry, name, sampler)
    return DrawableSimplices(cells.corners, sizes_of(cells.corners) * cells.densities, cells.normals)


def draw_points(
    geometry: Geometry, name: str, count: int, sampler: Sampler | None, generator: np.random.Generator
) -> PointsAndNormals:
    """Points of a region by any sampler, in general not nodes, and their normals on a boundary."""
    if isinstance(sampler, Graded):
        return graded_region(geometry, name, sampler).draw(count, sampler.sampler, generator)
    return draw(geometry, name, count, sampler, generator)
