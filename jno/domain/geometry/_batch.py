"""The batch rows of a domain and the geometry of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np
from jaxtyping import Int

from ._geometry import Geometry


@dataclass(frozen=True)
class Group:
    """`rows` consecutive rows of the batch on one geometry."""

    geometry: Geometry
    rows: int


@dataclass(frozen=True, eq=False)
class GeometryBatch:
    """Batch rows in groups that share a geometry.  Immutable: another tag, another batch.

    Geometries are compared by identity: two domains of the same shape are different meshes, whose connectivity and
    quadrature are computed once each.
    """

    groups: tuple[Group, ...]

    @classmethod
    def of(cls, geometry: Geometry) -> GeometryBatch:
        """One row on one geometry."""
        return cls((Group(geometry, 1),))

    @property
    def size(self) -> int:
        """Number of rows `B`."""
        return sum(group.rows for group in self.groups)

    @property
    def leading(self) -> Geometry:
        """The geometry of row 0, which stands for the domain where one is needed."""
        return self.groups[0].geometry

    @cached_property
    def distinct(self) -> tuple[Geometry, ...]:
        """The different geometries, in the order of the rows."""
        return tuple({id(group.geometry): group.geometry for group in self.groups}.values())

    @property
    def by_row(self) -> tuple[Geometry, ...]:
        """The geometry of every row."""
        return tuple(group.geometry for group in self.groups for _ in range(group.rows))

    @property
    def geometry_numbers(self) -> Int[np.ndarray, " B"]:
        """Row -> number of its geometry among the distinct ones."""
        numbers = {id(geometry): number for number, geometry in enumerate(self.distinct)}
        return np.asarray([numbers[id(geometry)] for geometry in self.by_row], dtype=np.int32)

    @property
    def group_numbers(self) -> Int[np.ndarray, " B"]:
        """Row -> number of its group."""
        return np.repeat(np.arange(len(self.groups)), [group.rows for group in self.groups])

    # -- tags ----
    @property
    def tags(self) -> list[str]:
        """Tags that every geometry has."""
        names = [geometry.names for geometry in self.distinct[1:]]
        return [name for name in self.leading.names if all(name in shared for shared in names)]

    @property
    def drawable(self) -> list[str]:
        """Tags whose points can be drawn from the shape of every geometry, sorted."""
        return sorted(frozenset.intersection(*(geometry.drawable for geometry in self.distinct)))

    def every(self, holds: Callable[[Geometry], bool]) -> bool:
        """Whether something holds for every geometry."""
        return all(holds(geometry) for geometry in self.distinct)

    # -- further batches ----
    def scaled(self, factor: object) -> GeometryBatch:
        """Every group with `factor` times as many rows."""
        if not isinstance(factor, Integral) or isinstance(factor, bool) or factor < 1:
            raise ValueError(f"A domain can only be multiplied by a positive integer; got {factor!r}.")
        return GeometryBatch(tuple(Group(group.geometry, group.rows * int(factor)) for group in self.groups))

    def followed_by(self, batch: GeometryBatch) -> GeometryBatch:
        """These rows, then those of another batch."""
        return GeometryBatch(self.groups + batch.groups)

    def mapped(self, change: Callable[[Geometry], Geometry]) -> GeometryBatch:
        """The same rows on changed geometries; rows that share a geometry go on sharing one."""
        changed = {id(geometry): change(geometry) for geometry in self.distinct}
        return GeometryBatch(tuple(Group(changed[id(group.geometry)], group.rows) for group in self.groups))
