"""What a box and a ball have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from ..drawable import DrawableRegion
from ..geometry import Distance
from ..mesh import Facets


class BodyRegion(DrawableRegion):
    """The inside of a body, or a part of its boundary.

    Attributes:
        is_boundary: whether its points have normals.
    """

    is_boundary: bool

    @property
    @abstractmethod
    def measure(self) -> float:
        """Volume or area; a point counts one."""


class Body(ABC):
    """A shape of any dimension whose points can be drawn.

    Attributes:
        kind: what it is called in messages.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def bounds(self) -> Float[np.ndarray, "2 D"]:
        """The lower and the upper corner of the box around it."""

    @property
    def dimension(self) -> int:
        """Number of space dimensions."""
        return int(self.bounds.shape[1])

    @property
    def diagonal(self) -> float:
        """Length of the diagonal of the box around it."""
        return float(np.linalg.norm(np.ptp(self.bounds, axis=0)))

    @abstractmethod
    def regions(self) -> Mapping[str, BodyRegion]:
        """Tag -> region."""

    @abstractmethod
    def facets(self, name: str) -> Facets:
        """The corners and normals of the faces of a boundary tag.

        Raises:
            ValueError: there are none, or faces of so many dimensions are not listed by their corners.
        """

    @abstractmethod
    def distance(self, names: Sequence[str], *, smooth: bool) -> Distance:
        """The distance to the nearest of these parts of the boundary, or a smooth function like it.

        Raises:
            ValueError: parts that have no such function.
        """

    @abstractmethod
    def outline(self) -> Float[np.ndarray, "E 2 2"]:
        """The curve around a plane body; of a disk a polygon of many edges."""
