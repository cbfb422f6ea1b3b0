"""The points of every batch row, as a source gives them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from jno.utils import get_seed

from .._time import TimeInterval
from ..drawable import draw_with_times
from ..geometry import Geometry
from ..mesh import Tag
from ._source import NodeSource, ShapeSource


@dataclass(frozen=True, eq=False)
class Row:
    """The points of one batch row: positions within the points of a tag of a geometry."""

    geometry: Geometry
    positions: Int[np.ndarray, " n"]

    @classmethod
    def of_points(cls, region: str, points: Float[np.ndarray, "n _"], normals: Float[np.ndarray, "n _"] | None) -> Row:
        """Points that are not nodes of a mesh, as a point cloud."""
        positions = np.arange(len(points))
        return cls(Geometry(points, {region: Tag(region, positions, normals=normals)}), positions)

    def points(self, region: str) -> Float[np.ndarray, "n D"]:
        """Coordinates."""
        return self.geometry.pool(region)[self.positions]

    def normals(self, region: str) -> Float[np.ndarray, "n D"] | None:
        """Outward normals, `None` for a region that has none."""
        normals = self.geometry.tags[region].normals
        return None if normals is None else normals[self.positions]


Rows: TypeAlias = tuple[Row, ...]


class RandomStream:
    """One generator `default_rng([seed, draw])` per draw; NumPy's global generator is never used."""

    def __init__(self, draws: int = 0) -> None:
        self.draws = draws

    def next(self) -> np.random.Generator:
        """The generator of the next draw."""
        generator = np.random.default_rng([get_seed() % 2**64, self.draws])
        self.draws += 1
        return generator


def shape_rows(
    region: str,
    source: ShapeSource,
    geometries: tuple[Geometry, ...],
    stream: RandomStream,
    times: TimeInterval | None = None,
) -> Rows:
    """Freshly drawn points for every row, with a time each where there is an interval of them."""
    return tuple(
        Row.of_points(region, *draw_with_times(geometry, region, source.count, source.sampler, stream.next(), times))
        for geometry in geometries
    )


def node_rows(
    tag: str,
    region: str,
    source: NodeSource,
    geometries: tuple[Geometry, ...],
    stream: RandomStream,
    *,
    quiet: bool,
) -> Rows:
    """Nodes of the region for every row, the same number for each; `tag` names the point set in messages."""
    sizes = {len(geometry.tags[region].nodes) for geometry in geometries}
    smallest = min(sizes)
    if not smallest and source.count is not None:
        raise ValueError(f"The tag {region!r} has no points to sample from.")
    if not quiet:
        _warn_about_sizes(region, source, sizes)
    choose = _chooser(tag, source, smallest, stream)
    rows = tuple(Row(geometry, choose(geometry.pool(region))) for geometry in geometries)
    lengths = {len(row.positions) for row in rows}
    if len(lengths) > 1:
        raise ValueError(
            f"The sampler of {tag!r} gave {sorted(lengths)} points in different rows of the batch; all rows "
            "need the same number."
        )
    return rows


def _warn_about_sizes(region: str, source: NodeSource, sizes: set[int]) -> None:
    smallest = min(sizes)
    if source.count is not None and source.count > smallest:
        warnings.warn(
            f"{source.count} points of {region!r} were asked for, but only {smallest} are available; all are used.",
            UserWarning,
            stacklevel=6,
        )
    if source.is_pool and len(sizes) > 1:
        warnings.warn(
            f"The merged domains have {sorted(sizes)} points of {region!r}; {smallest} are used of each, "
            "larger sets are sub-sampled. Give a count, sample=(n, None), to choose another number.",
            UserWarning,
            stacklevel=6,
        )


def _chooser(
    tag: str, source: NodeSource, smallest: int, stream: RandomStream
) -> Callable[[Float[np.ndarray, "n D"]], Int[np.ndarray, " k"]]:
    """A function from the pool of one row to the positions of the points that the row takes."""
    sampler = source.sampler
    count = smallest if source.count is None else min(source.count, smallest)
    # one array for all rows, so that rows of whole pools are recognised as equal at once
    all_positions = np.arange(count)

    def uniform(pool: Float[np.ndarray, "n D"]) -> Int[np.ndarray, " k"]:
        if count == len(pool):
            return all_positions
        return stream.next().choice(len(pool), size=count, replace=False)

    def custom(pool: Float[np.ndarray, "n D"]) -> Int[np.ndarray, " k"]:
        size = len(pool) if source.count is None else count
        positions = sampler(pool, size) if callable(sampler) else sampler
        return _checked_positions(tag, positions, len(pool), None if source.count is None else count)

    return uniform if sampler is None else custom


def _checked_positions(tag: str, positions: object, pool_size: int, count: int | None) -> Int[np.ndarray, " n"]:
    array = np.asarray(positions)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        raise ValueError(
            f"The sampler of {tag!r} must return a non-empty 1-D array of integer indices; got shape "
            f"{array.shape}, dtype {array.dtype}."
        )
    if count is not None and len(array) != count:
        raise ValueError(f"The sampler of {tag!r} returned {len(array)} indices; {count} were asked for.")
    if array.min() < 0 or array.max() >= pool_size:
        raise ValueError(
            f"The sampler of {tag!r} returned indices from {array.min()} to {array.max()}; the tag has "
            f"{pool_size} points, so they must lie in [0, {pool_size - 1}]."
        )
    return array.astype(np.int64)
