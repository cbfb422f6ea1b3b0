"""Regions of a shape: points are drawn from the shape itself, with or without a mesh."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ..mesh import Facets
from ._distance import Distance
from ._predicates import NearestNode


class LazyRegions(ABC):
    """Named regions from which any number of points can be drawn.  Immutable, as geometries are."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The tags that can be drawn from."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Number of space dimensions."""

    @property
    @abstractmethod
    def predicates(self) -> Mapping[str, Any]:
        """Regions that a user defined by `tag`, and their `where`."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
        """Lower and upper corner of the box around everything."""

    @property
    @abstractmethod
    def can_mesh(self) -> bool:
        """Whether a mesh can be built on request."""

    @property
    @abstractmethod
    def meshless(self) -> str:
        """What is said where a mesh is needed and there is none: why, and what to do."""

    @abstractmethod
    def on_nodes(self, name: str) -> Callable[..., Any] | None:
        """The region of a predicate as a predicate on the nodes of a mesh; `None` for other names."""

    @abstractmethod
    def hint(self, name: object) -> str:
        """What turns a name that is not a tag into one (empty: nothing does)."""

    @abstractmethod
    def is_boundary(self, name: str) -> bool:
        """Whether points of the tag have outward normals."""

    @abstractmethod
    def draw(
        self, name: str, count: int, sampler: Any, generator: np.random.Generator
    ) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, "n D"] | None]:
        """Points of a tag, and their normals when it is a boundary; `sampler=None` is the tag's own sampler."""

    @abstractmethod
    def placement(self, name: str, sampler: Any) -> Any:
        """The sampler that `draw` uses for a tag: `sampler`, or the tag's own; `None` is uniform."""

    @abstractmethod
    def drawable_region(self, name: str) -> Any:
        """The region of a tag, a `DrawableRegion`."""

    @abstractmethod
    def measure(self, name: str) -> float:
        """Volume, area or length of a tag; raises `ValueError` where it is not known."""

    def distance(self, names: Sequence[str], *, smooth: bool) -> Distance | None:
        """The distance to boundary tags, where the shape knows it without facets."""
        return None

    @abstractmethod
    def curve(self, name: str) -> Facets:
        """The edges of a boundary tag."""

    @abstractmethod
    def outline(self, name: str) -> Float[np.ndarray, "E 2 2"]:
        """The edges around an interior tag."""

    @abstractmethod
    def walls(self) -> Float[np.ndarray, "K 2 2"]:
        """All edges: of the boundary, of the regions and of what else has been named."""

    @abstractmethod
    def strategy(self, name: str) -> Any:
        """The resampling strategy registered for a tag, `None` when there is none."""

    @abstractmethod
    def with_tag(self, name: str, where: object) -> LazyRegions:
        """The same regions and the part in which a predicate holds; unchanged when that is nothing."""

    @abstractmethod
    def with_pin(self, name: str, where: NearestNode) -> LazyRegions:
        """The same regions and one node of every mesh."""
