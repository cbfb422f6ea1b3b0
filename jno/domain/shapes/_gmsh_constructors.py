"""The shortcuts `jno.domain.polygon`, `.triangle`, `.disk`, `.l_shape`, `.rectangle_with_hole(s)`, `.rect_pml`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

from ..geometry._geometry import Geometry
from ._gmsh_shapes import (
    disk_geometry,
    hole_geometry,
    holes_geometry,
    l_shape_geometry,
    pml_geometry,
    polygon_geometry,
    triangle_geometry,
)

D = TypeVar("D", bound="GmshConstructors")
_TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))


class GmshConstructors(ABC):
    """Class methods for plane shapes that gmsh meshes (`pip install 'jno-jax[mesh]'`).

    All take the keywords `algorithm` (number of a 2-D meshing algorithm of gmsh, 6 is Frontal-Delaunay),
    `time=(t0, t1, n)` and `compute_mesh_connectivity`. The same arguments give the same mesh.
    """

    @classmethod
    @abstractmethod
    def _from_geometry(
        cls: type[D], geometry: Geometry, *, algorithm: int, time: Any, compute_mesh_connectivity: bool
    ) -> D: ...

    @classmethod
    def polygon(
        cls: type[D],
        vertices: Any,
        mesh_size: Any = 0.1,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """A simple polygon.

        Args:
            vertices: corners `(K, 2)`, in either sense of rotation.
            mesh_size: wanted length of the edges of the triangles; default 0.1.
            algorithm: see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary` and the edges `one`, `two`, … (from the twenty-first on: `21`,
            …). They are numbered clockwise, and `one` ends in the highest corner (of several: the rightmost), so
            that a rectangle has its top, right, bottom and left edge in this order.

        Raises:
            ValueError: an argument that is not allowed.
            ImportError: gmsh is not installed or cannot be loaded.

        Example:
            >>> import jno
            >>> sorted(jno.domain.polygon([(0, 0), (2, 0), (2, 1), (0, 1)], 0.5).tag_indices)
            ['boundary', 'four', 'interior', 'one', 'three', 'two']
        """
        geometry = polygon_geometry(vertices, mesh_size, algorithm)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def triangle(
        cls: type[D],
        vertices: Any = _TRIANGLE,
        mesh_size: Any = 0.1,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """A triangle.

        Args:
            vertices: three corners; default `((0, 0), (1, 0), (0, 1))`.
            mesh_size: wanted length of the edges of the triangles; default 0.1.
            algorithm: see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary` and the edges `one`, `two`, `three`, as in `polygon`.

        Raises:
            ValueError: an argument that is not allowed.
            ImportError: gmsh is not installed or cannot be loaded.

        Example:
            >>> import jno
            >>> float(jno.domain.triangle().quadrature("interior").weights.sum().round(12))
            0.5
        """
        geometry = triangle_geometry(vertices, mesh_size, algorithm)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def disk(
        cls: type[D],
        center: Any = (0.0, 0.0),
        radius: Any = 1.0,
        mesh_size: Any = 0.1,
        num_points: Any = 32,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """A disk, as the regular polygon that is inscribed in its circle.

        Args:
            center: `(x, y)`; default the origin.
            radius: radius of the circle; default 1.
            mesh_size: wanted length of the edges of the triangles; default 0.1.
            num_points: corners of the polygon; default 32. Its area is `n r² sin(2π / n) / 2`.
            algorithm: see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior` and `boundary`.

        Raises:
            ValueError: an argument that is not allowed.
            ImportError: gmsh is not installed or cannot be loaded.

        Example:
            >>> import jno
            >>> jno.domain.disk(radius=2.0, mesh_size=0.5).boundary_tags()
            ['boundary']
        """
        geometry = disk_geometry(center, radius, mesh_size, num_points, algorithm)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def l_shape(
        cls: type[D],
        size: Any = 1.0,
        mesh_size: Any = 0.1,
        separate_boundary: bool = False,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """The square `[0, size]²` without its upper right quarter.

        Args:
            size: side of the square; default 1.
            mesh_size: wanted length of the edges of the triangles; default 0.1.
            separate_boundary: also name the sides; default False.
            algorithm: see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior` and `boundary`, with `separate_boundary` also `bottom`, `right_lower`,
            `inner_horizontal`, `inner_vertical`, `top`, `left`.

        Raises:
            ValueError: an argument that is not allowed.
            ImportError: gmsh is not installed or cannot be loaded.

        Example:
            >>> import jno
            >>> float(jno.domain.l_shape(2.0).quadrature("interior").weights.sum().round(12))
            3.0
        """
        geometry = l_shape_geometry(size, mesh_size, separate_boundary, algorithm)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def rectangle_with_hole(
        cls: type[D],
        outer_size: Any = 1.0,
        hole_size: Any = 0.4,
        mesh_size: Any = 0.1,
        separate_boundary: bool = False,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """The square `[0, outer_size]²` with a square hole in its centre.

        Args:
            outer_size: side of the square; default 1.
            hole_size: side of the hole; default 0.4.
            mesh_size: wanted length of the edges of the triangles; default 0.1.
            separate_boundary: also name the sides; default False.
            algorithm: see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior` and `boundary` (of the square and the hole), with `separate_boundary` also
            `bottom`, `right`, `top`, `left` of the square and `hole_bottom`, …, `hole_boundary` of the hole, which
            are called `_bottom`, …, `_boundary` as well.

        Raises:
            ValueError: an argument that is not allowed.
            ImportError: gmsh is not installed or cannot be loaded.

        Example:
            >>> import jno
            >>> d = jno.domain.rectangle_with_hole(separate_boundary=True)
            >>> float(d.quadrature("hole_boundary").weights.sum().round(12))
            1.6
        """
        geometry = hole_geometry(outer_size, hole_size, mesh_size, separate_boundary, algorithm)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def rectangle_with_holes(
        cls: type[D],
        outer_size: Any = (2.0, 1.0),
        holes: Any = None,
        mesh_size: Any = 0.1,
        separate_boundary: bool = True,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """The rectangle `[0, width] x [0, height]` with rectangular holes.

        Args:
            outer_size: `(width, height)`; default `(2, 1)`.
            holes: dicts with `origin` (lower left corner), `size` (a number or `(width, height)`) and `type` (a
                name, default `"hole"`); default no holes. They lie inside the rectangle and apart from each other.
            mesh_size: wanted length of the edges of the triangles; default 0.1.
            separate_boundary: also name the sides; default True.
            algorithm: see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary` (of the rectangle only) and `hole_boundary`, with
            `separate_boundary` also `bottom`, `right`, `top`, `left` of the rectangle and `<type>_boundary`,
            `<type>_bottom`, … of the holes.

        Raises:
            ValueError: an argument that is not allowed.
            ImportError: gmsh is not installed or cannot be loaded.

        Example:
            >>> import jno
            >>> d = jno.domain.rectangle_with_holes(holes=[{"origin": (0.4, 0.4), "size": 0.2, "type": "pipe"}])
            >>> float(d.quadrature("pipe_boundary").weights.sum().round(12))
            0.8
        """
        geometry = holes_geometry(outer_size, holes, mesh_size, separate_boundary, algorithm)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )

    @classmethod
    def rect_pml(
        cls: type[D],
        x_range: Any = (0.0, 1.0),
        y_range: Any = (0.0, 1.0),
        mesh_size: Any = 0.1,
        pml_thickness_top: Any = 0.2,
        pml_thickness_bottom: Any = 0.2,
        *,
        algorithm: int = 6,
        time: Any = None,
        compute_mesh_connectivity: bool = True,
    ) -> D:
        """A rectangle between two layers, e.g. perfectly matched (absorbing) ones, above and below it.

        Args:
            x_range: `(left, right)`; default `(0, 1)`.
            y_range: `(bottom, top)` of the rectangle without the layers; default `(0, 1)`.
            mesh_size: wanted length of the edges of the triangles; default 0.1.
            pml_thickness_top: thickness of the layer above `y_range`; default 0.2.
            pml_thickness_bottom: thickness of the layer below; default 0.2.
            algorithm: see the class.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: whether `mesh_connectivity` is available.

        Returns:
            A domain with the tags `interior`, `boundary` and `bottom`, `right`, `top`, `left`, all of the rectangle
            only, with normals that point out of it, and the layers `pml_bottom` and `pml_top`.

        Raises:
            ValueError: an argument that is not allowed.
            ImportError: gmsh is not installed or cannot be loaded.

        Example:
            >>> import jno
            >>> d = jno.domain.rect_pml()
            >>> [float(d.quadrature(tag).weights.sum().round(12)) for tag in ("interior", "boundary", "pml_top")]
            [1.0, 4.0, 0.2]
        """
        geometry = pml_geometry(x_range, y_range, mesh_size, (pml_thickness_top, pml_thickness_bottom), algorithm)
        return cls._from_geometry(
            geometry, algorithm=algorithm, time=time, compute_mesh_connectivity=compute_mesh_connectivity
        )
