"""The shortcuts `jno.domain.line`, `.rect`, `.equi_distant_rect`, `.poseidon`, `.cube` and `.from_array`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from ..geometry._geometry import Geometry
from ..geometry._point_cloud import cloud_geometry
from ._gmsh_constructors import GmshConstructors
from ._shapes import cube_geometry, equi_distant_geometry, line_geometry, poseidon_geometry, rect_geometry

D = TypeVar("D", bound="Constructors")


class Constructors(GmshConstructors):
    """Class methods that build a domain without a file or a geometry object.

    All meshed shapes take the keywords `algorithm` (number of a gmsh meshing algorithm; structured meshes
    have no use for it and only carry it along), `time=(t0, t1, n)` and `compute_mesh_connectivity`.
    """

    @classmethod
    @abstractmethod
    def _from_geometry(
        cls: type[D], geometry: Geometry, *, algorithm: int, time: Any, compute_mesh_connectivity: bool
    ) -> D: ...

    @classmethod
    def line(
        cls: type[D],
        x_range: Any = (0.0, 1.0),
        mesh_size: Any = 0.1,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """An interval in `round(length / mesh_size)` equal segments, at least one.

        Args:
            x_range: `(first, last)`; `left` is the first value, also when it is the larger one.
            mesh_size: wanted length of a segment.
            algorithm: carried along, see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary`, `left`, `right`.

        Raises:
            ValueError: a range, mesh size or time that is not allowed.

        Example:
            >>> import jno
            >>> jno.domain.line((0, 2), mesh_size=0.5).points.shape
            (5, 1)
        """
        geometry = line_geometry(x_range, mesh_size)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def rect(
        cls: type[D],
        x_range: Any = (0.0, 1.0),
        y_range: Any = (0.0, 1.0),
        mesh_size: Any = 0.1,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """A rectangle in `round(length / mesh_size)` cells per direction, two triangles each.

        Args:
            x_range: `(left, right)`; a reversed range keeps the names of the sides.
            y_range: `(bottom, top)`.
            mesh_size: wanted width of a cell.
            algorithm: carried along, see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary`, `left`, `right`, `bottom`, `top` and the numbered
            edges `one` (top), `two` (right), `three` (bottom), `four` (left).

        Raises:
            ValueError: a range, mesh size or time that is not allowed.

        Example:
            >>> import jno
            >>> jno.domain.rect(mesh_size=0.2).points.shape
            (36, 2)
        """
        geometry = rect_geometry(x_range, y_range, mesh_size)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def equi_distant_rect(
        cls: type[D],
        x_range: Any = (0.0, 1.0),
        y_range: Any = (0.0, 1.0),
        nx: Any = 10,
        ny: Any = 10,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """A rectangle of `nx` by `ny` equal cells; node `i * (ny + 1) + j` has the `i`-th x and the `j`-th y.

        Args:
            x_range: `(left, right)`; a reversed range keeps the names of the sides.
            y_range: `(bottom, top)`.
            nx: cells in x.
            ny: cells in y.
            algorithm: carried along, see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary`, `left`, `right`, `bottom`, `top`, whose points form
            a grid of `(nx + 1, ny + 1)` nodes; `ds` is the smaller cell width.

        Raises:
            ValueError: a range, cell count or time that is not allowed.

        Example:
            >>> import jno
            >>> jno.domain.equi_distant_rect(nx=4, ny=2).points.shape
            (15, 2)
        """
        geometry = equi_distant_geometry(x_range, y_range, nx, ny)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def poseidon(
        cls: type[D],
        nx: Any = 128,
        ny: Any = 128,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """The unit square with exactly `nx` by `ny` nodes, as image-shaped models need it.

        Args:
            nx: nodes in x.
            ny: nodes in y.
            algorithm: carried along, see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary`, `left`, `right`, `bottom`, `top`; node `i * ny + j`
            has the `i`-th x and the `j`-th y, and `ds` is the smaller cell width.

        Raises:
            ValueError: a node count or time that is not allowed.

        Example:
            >>> import jno
            >>> jno.domain.poseidon(8, 8).points.shape
            (64, 2)
        """
        geometry = poseidon_geometry(nx, ny)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def cube(
        cls: type[D],
        x_range: Any = (0.0, 1.0),
        y_range: Any = (0.0, 1.0),
        z_range: Any = (0.0, 1.0),
        mesh_size: Any = 0.1,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """A box in `round(length / mesh_size)` cells per direction, six tetrahedra each (Kuhn's subdivision).

        Args:
            x_range: `(left, right)`; a reversed range keeps the names of the faces.
            y_range: `(front, back)`.
            z_range: `(bottom, top)`.
            mesh_size: wanted width of a cell.
            algorithm: carried along, see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary`, `left`, `right`, `front`, `back`, `bottom`, `top`.

        Raises:
            ValueError: a range, mesh size or time that is not allowed.

        Example:
            >>> import jno
            >>> jno.domain.cube(mesh_size=0.5).points.shape
            (27, 3)
        """
        geometry = cube_geometry(x_range, y_range, z_range, mesh_size)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def from_array(cls: type[D], tags: Mapping[str, Any], compute_mesh_connectivity: bool = False) -> D:
        """A point cloud: named sets of points without a mesh.

        Args:
            tags: tag -> points `(N, D)`, the same `D` for all tags. An empty array is an empty tag.
            compute_mesh_connectivity: a cloud has no mesh, so only `False` is allowed.

        Returns:
            A domain whose context already holds every tag as `(1, 1, N, D)`.

        Raises:
            TypeError: `tags` is not a mapping.
            ValueError: no arrays, an array that is not 2-D, different `D`, or
                `compute_mesh_connectivity=True`.

        Example:
            >>> import jno
            >>> import numpy as np
            >>> cloud = jno.domain.from_array({"sensors": np.zeros((5, 2))})
            >>> len(cloud.variable("sensors"))
            3
        """
        geometry = cloud_geometry(tags)
        if compute_mesh_connectivity:
            raise ValueError("A point cloud has no mesh connectivity; leave compute_mesh_connectivity=False.")
        return cls._from_geometry(geometry, algorithm=6, time=None, compute_mesh_connectivity=False)
