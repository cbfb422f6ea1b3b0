"""Where the points of a request come from: nodes, the shape itself, or the points of another boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TypeAlias

import numpy as np

from jno.sampler import Graded

from ..drawable import NAMES, Sampler, check_name
from ..geometry import Geometry


@dataclass(frozen=True, eq=False)
class NodeSource:
    """Nodes of a mesh or points of a cloud.

    Attributes:
        count: how many, `None` for all.
        sampler: `(points, n) -> indices` or an array of indices; `None` chooses uniformly without replacement.
    """

    count: int | None = None
    sampler: Sampler | None = None

    @property
    def is_pool(self) -> bool:
        """Whether every point of the tag is taken."""
        return self.count is None and self.sampler is None


@dataclass(frozen=True, eq=False)
class ShapeSource:
    """Points drawn from a shape, or from the cells or facets of a mesh.

    Attributes:
        count: how many.
        sampler: name of a sampler, or `(geometry, n) -> points`; `None` is the sampler of the tag.
    """

    count: int
    sampler: Sampler | None = None


@dataclass(frozen=True, eq=False)
class TranslateSource:
    """The points of another point set, moved onto the boundary.

    Attributes:
        like: key of that point set.
        count: number of its points.
    """

    like: str
    count: int

    @property
    def sampler(self) -> None:
        """None: the points are those of the other set."""
        return None


Source: TypeAlias = NodeSource | ShapeSource | TranslateSource


@dataclass(frozen=True, eq=False)
class Sample:
    """A user's pair `(n, sampler)`, checked.

    `None` chooses nodes uniformly without replacement, a callable or an array of indices chooses nodes as it likes, and
    a named sampler places points in the cells or facets of the region, which are not nodes.
    """

    count: int | None = None
    sampler: Sampler | None = None

    @classmethod
    def from_pair(cls, tag: str, pair: object) -> Sample:
        """Check a user's `(n, sampler)`."""
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(
                f"sample= of {tag!r} must be (n, sampler), e.g. (100, None), or an array of data; got {pair!r}."
            )
        count, sampler = pair
        if count is not None and (not isinstance(count, Integral) or isinstance(count, bool) or count < 1):
            raise ValueError(f"The number of points of {tag!r} must be a positive integer or None; got {count!r}.")
        if isinstance(sampler, str | Graded):
            check_name(tag, sampler if isinstance(sampler, str) else sampler.sampler)
            if count is None:
                raise ValueError(
                    f"The sampler {sampler!r} of {tag!r} needs a number of points: sample=(n, {sampler!r})."
                )
        index_array = isinstance(sampler, np.ndarray) and sampler.dtype.kind in "iu"
        named = isinstance(sampler, str | Graded)
        if sampler is not None and not callable(sampler) and not index_array and not named:
            raise ValueError(
                f"The sampler of {tag!r} must be one of {', '.join(NAMES)}, jno.sampler.graded(...), a callable "
                f"(points, n) -> indices or an integer index array; got {sampler!r}."
            )
        return cls(None if count is None else int(count), sampler)

    @property
    def is_pool(self) -> bool:
        """Whether every point of the tag is wanted."""
        return self.count is None and self.sampler is None


def is_unmeshed_shape(region: str, sample: Sample, geometries: Sequence[Geometry]) -> bool:
    """Whether a sample without a count is of a shape without a mesh, so that there are no nodes to take."""
    drawable = all(region in geometry.drawable for geometry in geometries)
    return sample.count is None and drawable and all(geometry.mesh is None for geometry in geometries)


def source_of(region: str, sample: Sample, geometries: Sequence[Geometry]) -> NodeSource | ShapeSource:
    """Nodes or drawn?  The one place where this is decided.

    A named or graded sampler draws on every kind of domain. Otherwise points of a shape are drawn, except that all
    points of a meshed tag are its nodes; meshes without a shape and point clouds give nodes.
    """
    if isinstance(sample.sampler, str | Graded):
        assert sample.count is not None  # checked with the pair
        return ShapeSource(sample.count, sample.sampler)
    drawable = all(region in geometry.drawable for geometry in geometries)
    meshed = all(region in geometry.tags for geometry in geometries)
    if not drawable or (sample.is_pool and meshed):
        return NodeSource(sample.count, sample.sampler)
    if sample.count is not None:
        return ShapeSource(sample.count, sample.sampler)
    if is_unmeshed_shape(region, sample, geometries):
        return ShapeSource(1, sample.sampler)  # training is to replace the point in every epoch
    raise ValueError(
        f"The tag {region!r} has no nodes of its own here; say how many points to draw, sample=(n, sampler)."
    )
