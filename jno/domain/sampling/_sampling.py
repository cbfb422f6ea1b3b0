"""How many and which points of a pool: counts, callable samplers, and the private random stream."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jno.utils import get_seed

from ..geometry._geometry import Geometry
from ..mesh._tags import Tag
from ._samplers import NAMES, check_name

Rows = tuple[tuple[Geometry, np.ndarray], ...]


@dataclass(frozen=True, eq=False)
class SampleSpec:
    """`count` points (`None`: all) by `sampler`.

    `None` chooses nodes uniformly without replacement, a callable or an array of indices chooses nodes as it likes, and
    a named sampler places points in the cells or facets of the region, which are no nodes.
    """

    count: int | None = None
    sampler: Any = None

    @classmethod
    def from_tuple(cls, tag: str, spec: Any) -> SampleSpec:
        """Check a user's `(n, sampler)`."""
        if not isinstance(spec, tuple) or len(spec) != 2:
            raise ValueError(
                f"sample= of {tag!r} must be (n, sampler), e.g. (100, None), or an array of data; got {spec!r}."
            )
        count, sampler = spec
        if count is not None and (not isinstance(count, Integral) or isinstance(count, bool) or count < 1):
            raise ValueError(f"The number of points of {tag!r} must be a positive integer or None; got {count!r}.")
        if isinstance(sampler, str):
            check_name(tag, sampler)
            if count is None:
                raise ValueError(
                    f"The sampler {sampler!r} of {tag!r} needs a number of points: sample=(n, {sampler!r})."
                )
            return cls(int(count), sampler)
        index_array = isinstance(sampler, np.ndarray) and sampler.dtype.kind in "iu"
        if sampler is not None and not callable(sampler) and not index_array:
            raise ValueError(
                f"The sampler of {tag!r} must be one of {', '.join(NAMES)}, a callable (points, n) -> indices or an "
                f"integer index array; got {sampler!r}."
            )
        return cls(None if count is None else int(count), sampler)

    @property
    def is_named(self) -> bool:
        """Whether the points are placed by a named sampler."""
        return isinstance(self.sampler, str)

    @property
    def is_whole(self) -> bool:
        """Whether every point of the pool is asked for."""
        return self.count is None and self.sampler is None


class RandomStream:
    """One generator `default_rng([seed, draw])` per draw; NumPy's global generator is never used."""

    def __init__(self, draws: int = 0) -> None:
        self.draws = draws

    def next(self) -> np.random.Generator:
        """The generator of the next draw."""
        generator = np.random.default_rng([get_seed() % 2**64, self.draws])
        self.draws += 1
        return generator


def _checked_indices(tag: str, indices: Any, pool_size: int, count: int | None) -> Int[np.ndarray, " n"]:
    array = np.asarray(indices)
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


def _row_chooser(
    tag: str, spec: SampleSpec, smallest: int, stream: RandomStream
) -> Callable[[Float[np.ndarray, "n D"]], Int[np.ndarray, " k"]]:
    """A function from the pool of one row to the indices of the points that the row takes."""
    sampler = spec.sampler
    count = smallest if spec.count is None else min(spec.count, smallest)
    everything = np.arange(count)

    def uniform(pool: Float[np.ndarray, "n D"]) -> Int[np.ndarray, " k"]:
        if count == len(pool):
            return everything
        return stream.next().choice(len(pool), size=count, replace=False)

    def custom(pool: Float[np.ndarray, "n D"]) -> Int[np.ndarray, " k"]:
        asked = len(pool) if spec.count is None else count
        chosen = sampler(pool, asked) if callable(sampler) else sampler
        return _checked_indices(tag, chosen, len(pool), None if spec.count is None else count)

    return uniform if sampler is None else custom


def _is_drawn(base: str, spec: SampleSpec, geometries: tuple[Geometry, ...]) -> bool:
    """Whether points come from the shapes themselves instead of from nodes."""
    if spec.is_named:
        return True
    if not all(base in geometry.drawable for geometry in geometries):
        return False
    if spec.count is None:
        if spec.is_whole and all(base in geometry.tags for geometry in geometries):
            return False
        raise ValueError(
            f"The tag {base!r} has no nodes of its own here; say how many points to draw, sample=(n, sampler)."
        )
    return True


def _drawn_row(base: str, spec: SampleSpec, geometry: Geometry, stream: RandomStream) -> tuple[Geometry, np.ndarray]:
    """Freshly drawn points, as a point cloud of their own."""
    assert spec.count is not None
    return cloud_row(base, *geometry.draw(base, spec.count, spec.sampler, stream.next()))


def cloud_row(region: str, points: np.ndarray, normals: np.ndarray | None) -> tuple[Geometry, np.ndarray]:
    """Points that are a geometry of their own, all of them chosen."""
    every = np.arange(len(points))
    return Geometry(points, {region: Tag(region, every, normals=normals)}), every


def draw_rows(
    tag: str,
    base: str,
    spec: SampleSpec,
    geometries: tuple[Geometry, ...],
    stream: RandomStream,
    *,
    quiet: bool,
) -> Rows:
    """Indices into the pool of `base` for every row of the batch, the same number for each."""
    if _is_drawn(base, spec, geometries):
        return tuple(_drawn_row(base, spec, geometry, stream) for geometry in geometries)
    sizes = {len(geometry.tags[base].nodes) for geometry in geometries}
    smallest = min(sizes)
    if not smallest and spec.count is not None:
        raise ValueError(f"The tag {base!r} has no points to sample from.")
    if not quiet and spec.count is not None and spec.count > smallest:
        warnings.warn(
            f"{spec.count} points of {base!r} were asked for, but only {smallest} are available; all are used.",
            UserWarning,
            stacklevel=5,
        )
    if not quiet and spec.is_whole and len(sizes) > 1:
        warnings.warn(
            f"The merged domains have {sorted(sizes)} points of {base!r}; {smallest} are used of each, "
            "larger sets are sub-sampled. Give a count, sample=(n, None), to choose another number.",
            UserWarning,
            stacklevel=5,
        )
    choose = _row_chooser(tag, spec, smallest, stream)
    rows = tuple((geometry, choose(geometry.pool(base))) for geometry in geometries)
    lengths = {len(indices) for _, indices in rows}
    if len(lengths) > 1:
        raise ValueError(
            f"The sampler of {tag!r} gave {sorted(lengths)} points in different rows of the batch; all rows "
            "need the same number."
        )
    return rows
