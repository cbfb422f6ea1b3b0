"""The classes `jno.domain` and `jno.domain.csg`.

Example:
    >>> import jno
    >>> jno.domain.rect(mesh_size=0.5).available_mesh_tags[:2]
    ['interior', 'boundary']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack, final

from jno.utils import FLAG, TEXT, checked, instance

from . import bodies, polygon, radiation, shapes
from ._abstract import AbstractDomain
from ._sources import SourceOptions, geometry_from, is_region
from ._time import TimeAxis
from .geometry import Geometry, GeometryBatch, cloud_geometry
from .mesh import check_algorithm
from .sampling import RandomStream, merge_state, prefill

_KEYWORDS = ("algorithm", "time", "compute_mesh_connectivity", "keep_orphan_nodes", "mesh_size")
_CSG_KEYWORDS = (
    "name, geometry, regions, source_edges, time, compute_mesh_connectivity, mesh_size, sampler, samplers, "
    "resampling_strategy, resampling_strategies, algorithm"
)


_BY_REGION = instance("a dict by region", Mapping)


@final
class PolygonDomain(AbstractDomain):
    """A two-dimensional polygonal domain; points are drawn from the exact shape, and a mesh is made on request.

    `jno.domain(shape)` gives one as well, for a shapely geometry, a list of vertices or a dict of these. `+` and `|`
    are the union, `&` the intersection, `-` the difference and `^` the symmetric difference of areas.

    Tags: `interior` and `boundary`; for every named region `interior_<name>`, `boundary_<name>` and one
    `boundary_<name>_<i>` per edge, in the order of the vertices; `left`, `right`, `bottom`, `top` when the domain is an
    axis-aligned rectangle; `interface_<A>_<B>` (and `interface_<B>_<A>`) between two regions after `build_mesh`. Edges
    exist as far as they lie in the closed domain. A region named by vertices is called `polygon` unless named; a
    shapely geometry without `name` is not a region.

    `variable(tag, sample=(n, None))` draws exactly `n` independent points, uniformly by area or by length, with the
    exact normals of the edges. Without a count a meshed domain gives the nodes of the mesh, an unmeshed one a single
    point that training is to replace in every epoch.

    Args:
        vertices: vertices `(N, 2)` (or `(N, 3)` with one constant z), a shapely Polygon or MultiPolygon, or a dict
            `name -> vertices or geometry`, as in `from_regions`.
        name: name of the region (`"polygon"`).
        geometry: the shapely geometry, instead of `vertices`.
        regions: further named regions of the domain, `name -> geometry`; alone, their union is the domain.
        source_edges: `region -> segments (E, 2, 2)`, edges in the order in which they are numbered (the order of the
            vertices).
        time: `(t0, t1, n)`, an array of levels, `(t0, t1)` or `None`; see `jno.domain`.
        compute_mesh_connectivity: an unmeshed domain has no connectivity; `build_mesh` always provides it.
        mesh_size: build the mesh at once, see `build_mesh`.
        sampler: `(geometry, n) -> points (n, 2)`, used for every interior tag without an entry in `samplers`.
        samplers: sampler by region or interior tag; `"interior"` is for all regions that are not named.
        resampling_strategy: strategy for every tag without an entry in `resampling_strategies`.
        resampling_strategies: strategy by region, or for all of `"interior"` or `"boundary"`.
        algorithm: number of the gmsh algorithm for `mesh_size` (6).

    Raises:
        TypeError: unknown keyword.
        ValueError: no or several geometries; fewer than three vertices, vertices that are not finite, repeated or
            without area, an outline that crosses itself; ambiguous names; an invalid `time`.

    Example:
        >>> import jno
        >>> plate = jno.domain.csg([(0, 0), (2, 0), (2, 1), (0, 1)], name="plate")
        >>> hole = jno.domain.csg([(0.5, 0.25), (1.0, 0.25), (1.0, 0.75), (0.5, 0.75)], name="hole")
        >>> d = plate - hole
        >>> x, y, t, nx, ny = d.variable("boundary_hole", sample=(50, None), normals=True, split=True)
        >>> d.context["boundary_hole"].shape
        (1, 1, 50, 2)
    """

    __module__ = "jno.domain"

    @checked(
        "jno.domain.csg",
        name=TEXT,
        source_edges=_BY_REGION,
        compute_mesh_connectivity=FLAG,
        samplers=_BY_REGION,
        resampling_strategies=_BY_REGION,
    )
    def __init__(
        self,
        vertices: Any = None,
        *,
        name: str = "polygon",
        geometry: Any = None,
        regions: Any = None,
        source_edges: Any = None,
        time: object = None,
        compute_mesh_connectivity: bool | None = False,
        mesh_size: Any = None,
        sampler: object = None,
        samplers: Mapping[str, Any] | None = None,
        resampling_strategy: object = None,
        resampling_strategies: Mapping[str, Any] | None = None,
        algorithm: int | None = None,
        **unknown: Any,
    ) -> None:
        vertices = unknown.pop("constructor", vertices)
        if unknown:
            raise TypeError(f"jno.domain.csg() got unknown keyword(s) {sorted(unknown)}; allowed: {_CSG_KEYWORDS}.")
        if isinstance(vertices, AbstractDomain):
            raise TypeError("jno.domain.csg() takes shapes; copy a polygon domain with its method copy().")
        if algorithm is not None and mesh_size is None:
            raise ValueError("algorithm= concerns the mesh: give mesh_size= as well, or build_mesh(algorithm=...).")
        scene = polygon.build_scene(vertices, name, geometry, regions, source_edges)
        names = [str(key) for key in (*(regions or ()), *(vertices if isinstance(vertices, Mapping) else ()))]
        scene = polygon.with_samplers(scene, sampler, samplers, names)
        scene = polygon.with_strategies(scene, resampling_strategy, resampling_strategies, names)
        self._begin(GeometryBatch.of(Geometry.from_regions(scene)), TimeAxis.from_spec(time))
        self.compute_mesh_connectivity = bool(compute_mesh_connectivity)
        if mesh_size is not None:
            self.build_mesh(mesh_size, algorithm=6 if algorithm is None else algorithm)

    # -- constructors ----
    @classmethod
    @polygon.POLYGON_KEYWORDS.explicit
    def from_polygons(cls, polygons: Mapping[Any, Any], **options: Unpack[polygon.PolygonOptions]) -> PolygonDomain:
        """One domain from named lists of vertices; it is the union of the polygons, which may overlap.

        Args:
            polygons: region -> vertices `(N, 2)`. An empty dict gives an empty domain without tags.

        Returns:
            The domain.

        Raises:
            ValueError: an invalid polygon, or names that are equal as strings.

        Example:
            >>> import jno
            >>> square = [(0, 0), (1, 0), (1, 1), (0, 1)]
            >>> d = jno.domain.csg.from_polygons({"a": square, "b": [(1, 0), (2, 0), (2, 1), (1, 1)]})
            >>> "interior_b" in d.available_mesh_tags
            True
        """
        polygon.source_regions(polygons, skip_empty=False)
        return cls(regions=polygons, **options)

    @classmethod
    @polygon.POLYGON_KEYWORDS.explicit
    def from_regions(cls, regions: Mapping[Any, Any], **options: Unpack[polygon.PolygonOptions]) -> PolygonDomain:
        """One domain from named shapely polygons; it is their union. Regions without area are left out.

        Args:
            regions: region -> shapely Polygon or MultiPolygon; they may overlap.

        Returns:
            The domain.

        Raises:
            ValueError: a geometry that is not a polygon, or names that are equal as strings.

        Example:
            >>> import jno
            >>> from shapely.geometry import box
            >>> d = jno.domain.csg.from_regions({"hot": box(0, 0, 1, 1), "cold": box(1, 0, 3, 1)})
            >>> d.available_mesh_tags[:4]
            ['interior', 'boundary', 'left', 'right']
        """
        return cls(regions=regions, **options)

    @classmethod
    @checked(name=TEXT, compute_mesh_connectivity=FLAG)
    def poly(
        cls,
        vertices: Any,
        name: str = "polygon",
        time: object = None,
        compute_mesh_connectivity: bool = False,
    ) -> PolygonDomain:
        """A polygon domain without a mesh, `jno.domain.csg(vertices, name=name)`.

        Args:
            vertices: `(N, 2)`.
            name: name of its region.
            time: `(t0, t1, n)`, an array of levels, `(t0, t1)` or `None`; see `jno.domain`.
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
        return cls(vertices, name=name, time=time, compute_mesh_connectivity=compute_mesh_connectivity)

    @staticmethod
    def stack(*batched_domains: Any, n_interior: int = 256, n_boundary: int = 64) -> domain:
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
            TypeError: an argument that is not a polygon domain.
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
        stacked = domain.from_batch(polygon.stacked_batch(batched_domains, n_interior, n_boundary, stream))
        stacked.samples.stream = stream
        return stacked

    # -- set operations: polygon ----
    union = polygon.union
    intersection = polygon.intersection
    difference = polygon.difference
    symmetric_difference = polygon.symmetric_difference

    def __add__(self, other: object) -> PolygonDomain:
        """The union: for polygons `+` adds areas, not batch rows (`jno.domain.stack` does that)."""
        return self.union(other)

    __or__ = __add__
    __and__ = polygon.intersection
    __sub__ = polygon.difference
    __xor__ = polygon.symmetric_difference

    # -- regions, mesh and radiation: polygon ----
    region = polygon.region
    add_boundary_segments = polygon.add_boundary_segments
    build_mesh = polygon.build_mesh
    compute_enclosure_view_factor = polygon.compute_enclosure_view_factor

    def __repr__(self) -> str:
        mesh = "not meshed" if self.mesh is None else f"{len(self.points)} nodes"
        active = polygon.scene_of(self).active.geom_type
        return f"csg({active}, {mesh}, tags={self.available_mesh_tags}{self._time_text})"


@final
class domain(AbstractDomain):
    """Where a problem lives: geometry, named regions (tags), time axis, batch rows, sampled points and data.

    Usually made by one of the constructors `line`, `rect`, `equi_distant_rect`, `poseidon`, `cube`, `disk`,
    `polygon`, `from_array`, …. Calling the class itself clones a domain, reads a file or meshes a drawn geometry.

    Args:
        constructor: another domain (a clone is made);
            the path of a mesh file (`.msh`, `.vtu`, `.vtk`, `.inp`, `.med` and what else meshio reads), whose
            physical groups or named sets become tags, beside `interior` (all cells) and `boundary`;
            the path of an `.npz` point cloud, in which every key is a tag and every value `(N, D)` points;
            the path of a CAD file (`.step`, `.brep`, `.iges`), whose faces become the tags `face_1`, `face_2`, …;
            or a callable that draws: `draw(geo)` gets an empty `gmsh.model`, uses `geo.occ` or `geo.geo`, and
            returns `(geo, dimension, mesh_size)`, or a `meshio.Mesh` in place of `geo`. Its physical groups become
            tags; without any, the faces (in the plane `edge_1`, …) do.
        algorithm: number of the meshing algorithm (6, or that of the cloned domain).
        time: `(t0, t1, n)` for `n` equidistant time levels, or an increasing array of levels: all points exist at
            each of them. `(t0, t1)`: every point has a time of its own, after `t0` and up to `t1`, drawn with its
            place; then the last column of the points is the time. (Steady, or the time of the cloned domain.)
        compute_mesh_connectivity: whether `mesh_connectivity` is available (true, or as in the cloned domain).
        keep_orphan_nodes: keep nodes of a mesh file (or `meshio.Mesh`) that no cell uses (false: they are removed and
            the others renumbered).
        mesh_size: size of the elements for CAD files (a twentieth of the diagonal of the bounding box).

    A clone shares nothing mutable with the original. It keeps the original's samples, unless `time` is given:
    then sampled points no longer fit and only user data (tensor tags, point data, parameters) is kept.

    Sampling draws from a private generator, `numpy.random.default_rng([seed, draw])` with `seed =
    jno.get_seed()` and `draw` counting the draws of this domain; NumPy's global generator is neither used nor
    changed.

    Raises:
        TypeError: unknown keyword.
        ValueError: no geometry, or one that cannot be understood; an invalid `time`.
        FileNotFoundError: the file does not exist.

    Example:
        >>> import jno
        >>> d = jno.domain.rect(mesh_size=0.25, time=(0.0, 1.0, 3))
        >>> x, y, t = d.variable("left")
        >>> d.context["left"].shape
        (1, 3, 5, 2)
    """

    __module__ = "jno.domain"

    def __new__(cls, constructor: object = None, *further: Any, **keywords: Any) -> Any:
        """A factory for shapes of polygons, which are domains of the other class: `jno.domain.csg`."""
        if is_region(constructor):
            return PolygonDomain(constructor, *further, **keywords)
        if constructor is None and {"geometry", "regions", "vertices"} & set(keywords):
            return PolygonDomain(*further, **keywords)
        return object.__new__(cls)

    @checked("jno.domain", compute_mesh_connectivity=FLAG, keep_orphan_nodes=FLAG)
    def __init__(
        self,
        constructor: Any = None,
        *,
        algorithm: int | None = None,
        time: object = None,
        compute_mesh_connectivity: bool | None = None,
        keep_orphan_nodes: bool = False,
        mesh_size: object = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise TypeError(f"jno.domain() got unknown keyword(s) {sorted(unknown)}; allowed: {list(_KEYWORDS)}.")
        if algorithm is not None:
            check_algorithm(algorithm)
        if isinstance(constructor, AbstractDomain):
            if keep_orphan_nodes or mesh_size is not None:
                raise ValueError("keep_orphan_nodes= and mesh_size= mean nothing for a clone; leave them out.")
            self._take_over(constructor)
        else:
            options = SourceOptions(6 if algorithm is None else algorithm, keep_orphan_nodes, mesh_size)
            self._begin(GeometryBatch.of(geometry_from(constructor, options)), None)
        if algorithm is not None:
            self.algorithm = algorithm
        if compute_mesh_connectivity is not None:
            self.compute_mesh_connectivity = compute_mesh_connectivity
        if time is not None:
            self.time_axis = TimeAxis.from_spec(time)
            self.samples = self.samples.without_points()
            prefill(self)

    # -- constructors: shapes, polygon ----
    line = shapes.line
    rect = shapes.rect
    equi_distant_rect = shapes.equi_distant_rect
    poseidon = shapes.poseidon
    cube = shapes.cube
    polygon = shapes.polygon
    triangle = shapes.triangle
    disk = shapes.disk
    box = bodies.box
    ball = bodies.ball
    l_shape = shapes.l_shape
    rectangle_with_hole = shapes.rectangle_with_hole
    rectangle_with_holes = shapes.rectangle_with_holes
    rect_pml = shapes.rect_pml
    csg = PolygonDomain
    poly = PolygonDomain.poly
    stack = PolygonDomain.stack

    @classmethod
    @checked(compute_mesh_connectivity=FLAG)
    def from_array(
        cls, tags: Mapping[str, Any], compute_mesh_connectivity: bool = False, *, normals: object = None
    ) -> domain:
        """A point cloud: named sets of points without a mesh.

        Args:
            tags: tag -> points `(N, D)`, the same `D` for all tags. An empty array is an empty tag.
            compute_mesh_connectivity: a cloud has no mesh, so only `False` is allowed.
            normals: tag -> outward normals `(N, D)` at its points, of any length but zero; such a tag is a boundary
                (none).

        Returns:
            A domain whose context already holds every tag as `(1, 1, N, D)`.

        Raises:
            TypeError: `tags` is not a mapping.
            ValueError: no arrays, an array that is not 2-D, different `D`, `compute_mesh_connectivity=True`, or
                normals that are not one vector for every point of a tag.

        Example:
            >>> import jno
            >>> import numpy as np
            >>> cloud = jno.domain.from_array({"sensors": np.zeros((5, 2))})
            >>> len(cloud.variable("sensors"))
            3
        """
        geometry = cloud_geometry(tags, normals)
        if compute_mesh_connectivity:
            raise ValueError("A point cloud has no mesh connectivity; leave compute_mesh_connectivity=False.")
        cloud = cls.from_batch(GeometryBatch.of(geometry))
        cloud.compute_mesh_connectivity = False
        return cloud

    compute_enclosure_view_factor = radiation.compute_enclosure_view_factor

    def __repr__(self) -> str:
        lazy = self.geometry.lazy
        content = f"{len(self.points)} points" if lazy is None else "drawn from the shape"
        size = f"{self.dimension}-D, {content}"
        return f"domain({size}, tags={self.available_mesh_tags}{self._time_text})"

    # -- batching ----
    def __add__(self, other: object) -> domain:
        """A new domain whose batch rows are those of `self` followed by those of `other`.

        Without a count, every row gets as many points of a tag as the smallest of the geometries has.
        Parameters become one value per row, data with one row per batch row is stacked; sampled points are
        not carried over.

        Raises:
            TypeError: `other` is not a domain.
            ValueError: different dimensions, time axes or parameter names; data that cannot be combined.

        Example:
            >>> import jno
            >>> d = 3 * jno.domain.rect() + 2 * jno.domain.rect((0, 2))
            >>> d.total_samples
            5
        """
        if not isinstance(other, AbstractDomain):
            raise TypeError(f"Only a domain can be added to a domain; got {type(other).__name__}.")
        if isinstance(other, PolygonDomain):
            raise TypeError(
                "A polygon domain and another kind of domain cannot be added: for polygons + means the union of their "
                "areas, for others it stacks batch rows. Use jno.domain.stack(...) for rows of several polygons."
            )
        if (self.geometry.lazy is None) != (other.geometry.lazy is None):
            raise TypeError(
                "A domain without a mesh (jno.domain.box, ball) and one of nodes cannot be added: a point set is drawn "
                "in all batch rows or consists of nodes in all. Make both of one kind."
            )
        if self.dimension != other.dimension:
            raise ValueError(
                f"Domains of different dimension cannot be merged: {self.dimension} and {other.dimension} space "
                "dimensions."
            )
        merged = self._resized(self.batch.followed_by(other.batch), TimeAxis.common(self.time_axis, other.time_axis))
        merge_state(merged, self, other)
        return merged


# isinstance(d, jno.domain) holds for polygon domains, although neither of the two final classes derives from the other
domain.register(PolygonDomain)
