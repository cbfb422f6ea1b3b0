"""One request for points, and the point set of the context that answers it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from jno.sampler import ResamplingStrategy

from .._time import TimeInterval
from ..drawable import Sampler
from ._source import NodeSource, ShapeSource, Source, TranslateSource

TIME_KEY = "__time__"
INITIAL = "initial"


def region_of(tag: str) -> str:
    """The geometry's tag: the points of `initial` are those of the interior."""
    return "interior" if tag == INITIAL else tag


@dataclass(frozen=True, eq=False)
class Request:
    """A checked request for points.

    Attributes:
        tag: tag of the domain.
        source: where the points come from.
        normals: whether their normals are wanted too.
        reverse_normals: whether these point inward.
        level: the fixed time level, `None` when the points exist at all levels.
        times: where the points have times of their own, `None` when they exist at levels.
        strategy: strategy that replaces the points during training.
    """

    tag: str
    source: Source = field(default_factory=NodeSource)
    normals: bool = False
    reverse_normals: bool = False
    level: float | None = None
    times: TimeInterval | None = None
    strategy: ResamplingStrategy | None = None

    @property
    def region(self) -> str:
        """The geometry's tag."""
        return region_of(self.tag)

    @property
    def is_pool(self) -> bool:
        """Whether all nodes of the tag are requested."""
        return isinstance(self.source, NodeSource) and self.source.is_pool


@dataclass(frozen=True, eq=False)
class SampleRecord:
    """One point set of the context.

    Attributes:
        tag: key in the context.
        request: the request that made it, with the normals that the context holds by now.
    """

    tag: str
    request: Request

    @property
    def base(self) -> str:
        """Tag of the domain the points come from."""
        return self.request.tag

    @property
    def region(self) -> str:
        """The geometry's tag: the points of `initial` are those of the interior."""
        return self.request.region

    @property
    def sample(self) -> tuple[int | None, Sampler | None]:
        """`(n, sampler)` of the request."""
        return (self.request.source.count, self.request.source.sampler)

    @property
    def normals(self) -> bool:
        """Whether `n_<tag>` is in the context."""
        return self.request.normals

    @property
    def reverse_normals(self) -> bool:
        """Whether these normals point inward."""
        return self.request.reverse_normals

    @property
    def normal_sign(self) -> float:
        """The factor from outward normals to those of the context."""
        return -1.0 if self.request.reverse_normals else 1.0

    @property
    def level(self) -> float | None:
        """The fixed time level, `None` when the points exist at all levels."""
        return self.request.level

    @property
    def times(self) -> TimeInterval | None:
        """The interval in which every point has a time of its own, the last column; `None` for points at levels."""
        return self.request.times

    @property
    def time_tag(self) -> str:
        """Key of the time levels that belong to points without times of their own."""
        return TIME_KEY if self.level is None else f"__time_{self.tag}__"

    @property
    def normal_tag(self) -> str:
        """Key of the normals that belong to the points."""
        return f"n_{self.tag}"

    @property
    def resampling_strategy(self) -> ResamplingStrategy | None:
        """Strategy that replaces the points during training."""
        return self.request.strategy

    @property
    def drawn(self) -> bool:
        """Whether the points were drawn from the shape itself, or moved onto it, instead of taken from nodes."""
        return not isinstance(self.request.source, NodeSource)

    @property
    def shape_sampler(self) -> Sampler | None:
        """The sampler by which further points of the shape are drawn."""
        return self.request.source.sampler if isinstance(self.request.source, ShapeSource) else None

    @property
    def like(self) -> str | None:
        """Key of the point set whose translates the points are."""
        return self.request.source.like if isinstance(self.request.source, TranslateSource) else None

    def with_normals(self, *, reverse: bool) -> SampleRecord:
        """The record once the context holds the normals."""
        return replace(self, request=replace(self.request, normals=True, reverse_normals=reverse))

    def without_normals(self) -> SampleRecord:
        """The record before the context holds the normals."""
        return replace(self, request=replace(self.request, normals=False, reverse_normals=False))
