"""What the class `jno.domain` offers of polygon domains: `csg`, `poly` and `stack`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..geometry._merge import Groups
from ..sampling._sampling import RandomStream
from ._stack import stacked_groups


class PolygonClass:
    """The attribute `jno.domain.csg`, looked up when it is used because it is a subclass of its owner."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        from .._polygon_domain import PolygonDomain

        return PolygonDomain


class PolygonEntry(ABC):
    """Class attributes and methods that lead to polygon domains."""

    csg = PolygonClass()

    @classmethod
    def poly(
        cls, vertices: Any, name: str = "polygon", time: Any = None, compute_mesh_connectivity: bool = False
    ) -> Any:
        """A polygon domain without a mesh, `jno.domain.csg(vertices, name=name)`.

        Args:
            vertices: `(N, 2)`.
            name: name of its region.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: see `jno.domain.csg`.

        Returns:
            A polygon domain.

        Raises:
            ValueError: an invalid polygon.

        Example:
            >>> import jno
            >>> jno.domain.poly([(0, 0), (1, 0), (0, 1)]).mesh is None
            True
        """
        return cls.csg(vertices, name=name, time=time, compute_mesh_connectivity=compute_mesh_connectivity)

    @classmethod
    def stack(cls, *batched_domains: Any, n_interior: int = 256, n_boundary: int = 64) -> Any:
        """Batch rows on several polygon domains, for training on many geometries at once.

        Args:
            *batched_domains: polygon domains; `n * domain` gives `n` rows with independent points.
            n_interior: points in the interior per row.
            n_boundary: points on the boundary per row.

        Returns:
            A point-cloud domain with the tags `interior`, `(B, 1, n_interior, 2)`, and `boundary`,
            `(B, 1, n_boundary, 2)`, uniform and independent in every row. It has no normals, no time and no further
            tags; `variable` returns `(x, y)`.

        Raises:
            TypeError: something that is no polygon domain.
            ValueError: no domains, counts that are not positive, an empty or a time-dependent domain.

        Example:
            >>> import jno
            >>> from shapely.geometry import Point, box
            >>> d1, d2 = jno.domain(box(0, 0, 1, 1)), jno.domain(Point(0.5, 0.5).buffer(0.5))
            >>> dom = jno.domain.stack(3 * d1, 2 * d2, n_interior=512, n_boundary=128)
            >>> x, y = dom.variable("interior")
            >>> dom.context["interior"].shape
            (5, 1, 512, 2)
        """
        stream = RandomStream()
        return cls._from_groups(stacked_groups(batched_domains, n_interior, n_boundary, stream), stream)

    @classmethod
    @abstractmethod
    def _from_groups(cls, groups: Groups, stream: RandomStream) -> Any:
        """A steady domain of the base class with these batch rows."""
