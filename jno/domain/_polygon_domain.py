"""The class `jno.domain.csg`: polygons, combined by set operations, sampled without a mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ._domain import domain
from .geometry._geometry import Geometry
from .geometry._merge import Group, merge_arrays, merge_time
from .polygon._build import (
    build_scene,
    check_samplers,
    registry,
    sources,
)
from .polygon._geometry import is_shapely, undirected
from .polygon._medium import medium_of
from .polygon._mesh import mesh_scene
from .polygon._operators import combine, with_region, with_segments
from .polygon._scene import PolygonScene
from .radiation._surfaces import facing_medium, slack_of, without_windows
from .sampling._time import TimeAxis

P = TypeVar("P", bound="PolygonDomain")
_KEYWORDS = (
    "name, geometry, regions, source_edges, time, compute_mesh_connectivity, mesh_size, sampler, samplers, "
    "resampling_strategy, resampling_strategies, algorithm"
)


class PolygonDomain(domain):
    """A two-dimensional polygonal domain; points are drawn from the exact shape, and a mesh is made on request.

    `jno.domain(shape)` gives one as well, for a shapely geometry, a list of vertices or a dict of these. `+` and `|`
    are the union, `&` the intersection, `-` the difference and `^` the symmetric difference of areas.

    Tags: `interior` and `boundary`; for every named region `interior_<name>`, `boundary_<name>` and one
    `boundary_<name>_<i>` per edge, in the order of the vertices; `left`, `right`, `bottom`, `top` when the domain is an
    axis-aligned rectangle; `interface_<A>_<B>` (and `interface_<B>_<A>`) between two regions after `build_mesh`. Edges
    exist as far as they lie in the closed domain. A region named by vertices is called `polygon` unless named; a
    shapely geometry without `name` is no region of its own.

    `variable(tag, sample=(n, None))` draws exactly `n` independent points, uniformly by area or by length, with the
    exact normals of the edges. Without a count a meshed domain gives the nodes of the mesh, an unmeshed one a single
    point that training is to replace in every epoch.

    Args:
        vertices: vertices `(N, 2)` (or `(N, 3)` with one constant z), a shapely Polygon or MultiPolygon, or a dict
            `name -> vertices or geometry`, as in `from_regions`.
        name: name of the region; default `"polygon"`.
        geometry: the shapely geometry, instead of `vertices`.
        regions: further named regions of the domain, `name -> geometry`; alone, their union is the domain.
        source_edges: `region -> segments (E, 2, 2)`, edges in the order in which they are numbered; default the order
            of the vertices.
        time: `(t0, t1, n)` or `None`.
        compute_mesh_connectivity: an unmeshed domain has no connectivity; `build_mesh` always provides it.
        mesh_size: build the mesh at once, see `build_mesh`.
        sampler: `(geometry, n) -> points (n, 2)`, used for every interior tag that has no sampler of its own.
        samplers: sampler by region or interior tag; `"interior"` is for all regions that are not named.
        resampling_strategy: strategy for every tag that has none of its own.
        resampling_strategies: strategy by region, or for all of `"interior"` or `"boundary"`.
        algorithm: number of the gmsh algorithm for `mesh_size`; default 6.

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

    def __init__(
        self,
        vertices: Any = None,
        *,
        name: str = "polygon",
        geometry: Any = None,
        regions: Any = None,
        source_edges: Any = None,
        time: Any = None,
        compute_mesh_connectivity: bool | None = False,
        mesh_size: Any = None,
        sampler: Any = None,
        samplers: Any = None,
        resampling_strategy: Any = None,
        resampling_strategies: Any = None,
        algorithm: int | None = None,
        **unknown: Any,
    ) -> None:
        vertices = unknown.pop("constructor", vertices)
        if unknown:
            raise TypeError(f"jno.domain.csg() got unknown keyword(s) {sorted(unknown)}; allowed: {_KEYWORDS}.")
        if isinstance(vertices, domain):
            raise TypeError("jno.domain.csg() takes shapes; copy a polygon domain with its method copy().")
        if algorithm is not None and mesh_size is None:
            raise ValueError("algorithm= concerns the mesh: give mesh_size= as well, or build_mesh(algorithm=...).")
        scene = build_scene(vertices, name, geometry, regions, source_edges)
        given = (*(regions or ()), *(vertices if isinstance(vertices, Mapping) else ()))
        found = registry("samplers", sampler, samplers, scene, [str(key) for key in given])
        check_samplers(found, scene)
        strategies = registry(
            "resampling_strategies", resampling_strategy, resampling_strategies, scene, [str(key) for key in given]
        )
        scene = replace(scene, samplers=found, strategies=strategies)
        self._setup((Group(Geometry.from_regions(scene), 1),), TimeAxis.from_spec(time))
        self.compute_mesh_connectivity = bool(compute_mesh_connectivity)
        if mesh_size is not None:
            self.build_mesh(mesh_size, algorithm=6 if algorithm is None else algorithm)

    @classmethod
    def from_polygons(
        cls: type[P],
        polygons: Mapping[Any, Any],
        *,
        time: tuple[float | int, float | int, int] | None = None,
        compute_mesh_connectivity: bool = False,
        mesh_size: float | int | None = None,
        sampler: Any | None = None,
        samplers: Mapping[str, Any] | None = None,
        resampling_strategy: Any | None = None,
        resampling_strategies: Mapping[str, Any] | None = None,
    ) -> P:
        """One domain from named lists of vertices; it is the union of the polygons, which may overlap.

        Args:
            polygons: region -> vertices `(N, 2)`. An empty dict gives an empty domain without tags.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: see the class.
            mesh_size: build the mesh at once.
            sampler: see the class.
            samplers: see the class.
            resampling_strategy: see the class.
            resampling_strategies: see the class.

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
        sources(polygons, skip_empty=False)
        return cls(
            regions=polygons,
            time=time,
            compute_mesh_connectivity=compute_mesh_connectivity,
            mesh_size=mesh_size,
            sampler=sampler,
            samplers=samplers,
            resampling_strategy=resampling_strategy,
            resampling_strategies=resampling_strategies,
        )

    @classmethod
    def from_regions(
        cls: type[P],
        regions: Mapping[Any, Any],
        *,
        time: tuple[float | int, float | int, int] | None = None,
        compute_mesh_connectivity: bool = False,
        mesh_size: float | int | None = None,
        sampler: Any | None = None,
        samplers: Mapping[str, Any] | None = None,
        resampling_strategy: Any | None = None,
        resampling_strategies: Mapping[str, Any] | None = None,
    ) -> P:
        """One domain from named shapely polygons; it is their union. Regions without area are left out.

        Args:
            regions: region -> shapely Polygon or MultiPolygon; they may overlap.
            time: `(t0, t1, n)` or `None`.
            compute_mesh_connectivity: see the class.
            mesh_size: build the mesh at once.
            sampler: see the class.
            samplers: see the class.
            resampling_strategy: see the class.
            resampling_strategies: see the class.

        Returns:
            The domain.

        Raises:
            ValueError: a geometry that is no polygon, or names that are equal as strings.

        Example:
            >>> import jno
            >>> from shapely.geometry import box
            >>> d = jno.domain.csg.from_regions({"hot": box(0, 0, 1, 1), "cold": box(1, 0, 3, 1)})
            >>> d.available_mesh_tags[:4]
            ['interior', 'boundary', 'left', 'right']
        """
        return cls(
            regions=regions,
            time=time,
            compute_mesh_connectivity=compute_mesh_connectivity,
            mesh_size=mesh_size,
            sampler=sampler,
            samplers=samplers,
            resampling_strategy=resampling_strategy,
            resampling_strategies=resampling_strategies,
        )

    # -- the scene ----
    @property
    def _scene(self) -> PolygonScene:
        scene = self._geometry.lazy
        assert isinstance(scene, PolygonScene)
        return scene

    def _set_geometry(self, geometry: Geometry) -> None:
        self._groups = tuple(Group(geometry, group.rows) for group in self._groups)

    def __repr__(self) -> str:
        mesh = "not meshed" if self.mesh is None else f"{len(self.points)} nodes"
        time = "" if self._axis is None else f", time={self.time}"
        return f"csg({self._scene.active.geom_type}, {mesh}, tags={self.available_mesh_tags}{time})"

    # -- set operations ----
    def _combined(self: P, other: Any, operation: str) -> P:
        right = _operand(other, operation)
        merged = combine(self._scene, right._scene, operation)
        made = object.__new__(type(self))
        made._setup((Group(Geometry.from_regions(merged), 1),), merge_time(self._axis, right._axis))
        made.compute_mesh_connectivity = self.compute_mesh_connectivity
        made.parameters = {**right.parameters, **self.parameters}
        made.arrays = merge_arrays(self.arrays, right.arrays)
        return made

    def union(self: P, other: Any) -> P:
        """The domain of all points in this domain or in `other`; `+` and `|` do the same.

        Args:
            other: a polygon domain, a shapely geometry or a list of vertices.

        Returns:
            A new domain with the regions and edges of both (a name that both have is the union, and its edges are
            numbered on), without mesh and samples, in one batch row. Samplers and parameters of this domain win.

        Raises:
            TypeError: `other` is something else.
            ValueError: different time axes.

        Example:
            >>> import jno
            >>> from shapely.geometry import box
            >>> d = jno.domain(box(0, 0, 1, 1)).union(box(1, 0, 2, 1))
            >>> d.available_mesh_tags
            ['interior', 'boundary', 'left', 'right', 'bottom', 'top']
        """
        return self._combined(other, "union")

    def intersection(self: P, other: Any) -> P:
        """The domain of all points in both; `&` does the same. See `union`.

        Example:
            >>> import jno
            >>> from shapely.geometry import box
            >>> (jno.domain(box(0, 0, 2, 1)) & box(1, 0, 3, 1)).total_samples
            1
        """
        return self._combined(other, "intersection")

    def difference(self: P, other: Any) -> P:
        """The domain of all points that are not in `other`; `-` does the same. See `union`.

        Edges of what was taken away are tags of the hole, with normals that point into it.

        Example:
            >>> import jno
            >>> from shapely.geometry import box
            >>> (jno.domain(box(0, 0, 2, 1)) - box(1, 0, 3, 1)).available_mesh_tags
            ['interior', 'boundary', 'left', 'right', 'bottom', 'top']
        """
        return self._combined(other, "difference")

    def symmetric_difference(self: P, other: Any) -> P:
        """The domain of all points in exactly one of both; `^` does the same. See `union`.

        Example:
            >>> import jno
            >>> from shapely.geometry import box
            >>> d = jno.domain(box(0, 0, 2, 1)) ^ box(1, 0, 3, 1)
            >>> d.available_mesh_tags
            ['interior', 'boundary']
        """
        return self._combined(other, "symmetric_difference")

    def __add__(self: P, other: Any) -> P:
        """The union: for polygons `+` adds areas, not batch rows (`jno.domain.stack` does that)."""
        return self.union(other)

    __or__ = __add__

    def __and__(self: P, other: Any) -> P:
        return self.intersection(other)

    def __sub__(self: P, other: Any) -> P:
        return self.difference(other)

    def __xor__(self: P, other: Any) -> P:
        return self.symmetric_difference(other)

    # -- regions ----
    def region(self: P, name: str, where: Any, *, kind: str | None = None) -> P:
        """Name a region of the domain.

        Args:
            name: the new tag.
            where: a shapely Polygon or MultiPolygon, which becomes an interior tag and a region of its own (with
                `interior_<name>` and its edges); a LineString or MultiLineString, which becomes a boundary tag; a
                predicate `f(x, y) -> bool`, called with two numbers at the midpoint of every edge of the boundary,
                which selects whole edges; or the name of a tag, for a second name.
            kind: `"boundary"` or `"interior"`; default what `where` is.

        Returns:
            The domain. A mesh that exists already does not know the new region; call `build_mesh` again.

        Raises:
            TypeError: `where` is something else.
            ValueError: the name is taken, the tag is unknown, or nothing is selected.
            NotImplementedError: an interior region from a predicate.

        Example:
            >>> import jno
            >>> d = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)])
            >>> d = d.region("walls", lambda x, y: x in (0.0, 1.0))
            >>> d.variable("walls", sample=(10, None))
            (Var(walls[[0, 1]]), Var(walls[[1, 2]]), Var(t))
        """
        self._set_scene(with_region(self._scene, name, where, kind))
        return self

    def add_boundary_segments(
        self: P,
        tag: str,
        segments: Sequence[Any] | np.ndarray,
        *,
        normal_geometry: Any | None = None,
    ) -> P:
        """Name a boundary region by its segments, e.g. a surface of an imported model.

        Args:
            tag: the new tag.
            segments: pairs of points `(E, 2, 2)`, or `(E, 2, 3)` of which z is dropped; segments of length zero are
                left out.
            normal_geometry: the normals point out of this: a region, a sequence of regions (their union), a shapely
                geometry; default the whole domain.

        Returns:
            The domain.

        Raises:
            ValueError: the name is taken, segments of another shape, none of positive length, an unknown region.

        Example:
            >>> import jno
            >>> d = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)])
            >>> d = d.add_boundary_segments("heater", [[(0.25, 0.0), (0.75, 0.0)]])
            >>> d.variable("heater", sample=(5, None), normals=True)
            Var(n_heater[[0, 2]])
        """
        self._set_scene(with_segments(self._scene, tag, segments, normal_geometry))
        return self

    def _set_scene(self, scene: PolygonScene) -> None:
        assert scene.table is not None  # ambiguous names are found here
        self._set_geometry(replace(self._geometry, lazy=scene))

    # -- mesh ----
    def build_mesh(
        self: P,
        mesh_size: float | int = 0.1,
        *,
        algorithm: int = 6,
        region_mesh_sizes: Mapping[str, float | int] | None = None,
        sizes: Mapping[str, float | int] | None = None,
        interpolate: bool = True,
    ) -> P:
        """Mesh the domain with triangles; regions meet in common edges.

        Afterwards `mesh`, `mesh_connectivity`, integrals and finite differences are available, and sampling without a
        count gives the nodes. Points that were sampled before stay, and counted samples are still drawn from the exact
        shape. Calling it again meshes anew.

        Args:
            mesh_size: wanted length of an edge.
            algorithm: number of the gmsh algorithm; 6 is frontal Delaunay.
            region_mesh_sizes: wanted length by region.
            sizes: the same as `region_mesh_sizes`, which wins where both name a region.
            interpolate: with `True` a region's size holds along its boundary and changes smoothly from there; a region
                that lies in regions before it has its size at its corners only, and can be much coarser inside. With
                `False` the size holds in all of the region's bounding box.

        Returns:
            The domain.

        Raises:
            ValueError: an empty domain, an unknown region, a size that is not a positive number.
            ImportError: gmsh is not installed (`pip install jno-jax[mesh]`).

        Example:
            >>> import jno
            >>> d = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)]).build_mesh(0.25)
            >>> float(d.quadrature("interior").weights.sum().round(12))
            1.0
        """
        wanted = {**(sizes or {}), **(region_mesh_sizes or {})}
        self._set_geometry(mesh_scene(self._scene, mesh_size, algorithm, wanted, interpolate))
        self.algorithm = algorithm
        self.compute_mesh_connectivity = True
        self._prefill()
        return self

    def compute_enclosure_view_factor(
        self,
        tags: Sequence[str] | str,
        opaque_tags: Sequence[str] | str | None = None,
        medium_tags: Sequence[str] | str | None = None,
    ) -> Any:
        """View factors between the boundary tags of a radiation enclosure.

        As in `jno.domain.compute_enclosure_view_factor`, with two differences: exchange of a tag with itself is left
        out (its blocks are zero; `variable(tag, view_factor=True)` gives it), and the medium may be named.

        Args:
            tags: boundary tags, sampled before with normals; a name or a list of names.
            opaque_tags: checked, and otherwise without effect: all edges of all regions block the view.
            medium_tags: regions whose union, without all other regions, is the radiating medium; radiation then leaves
                a surface on the side of the medium, whatever its normals, and edges with the medium on both sides do
                not block. A region called air (in any case) stands for all of the bounding box of the scene that no
                other region fills. Default: the regions called gas or air; if there are none, the sampled normals
                count, and a warning says so.

        Returns:
            `F[a][b]`, a `TensorTag` `f_<a>__<b>` with data `(1, 1, N_a, N_b)`; the context also holds the visibilities
            `v_<a>__<b>` and all blocks together, `f_<a+b>` and `v_<a+b>`.

        Raises:
            ValueError: no tags, an unknown region or tag, a tag that is no boundary or not sampled with normals.
            NotImplementedError: batch rows with points of their own.

        Example:
            >>> import jno
            >>> d = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)], name="gas")
            >>> for side in ("bottom", "top"):
            ...     _ = d.variable(side, sample=(50, "equispaced"), normals=True)
            >>> F = d.compute_enclosure_view_factor(["bottom", "top"])
            >>> round(float(d.context["f_bottom__top"][0, 0].sum(axis=1).mean()), 6)
            0.414214
        """
        if opaque_tags is not None:
            self._tag_list(opaque_tags)
        names = self._tag_list(tags)
        records = [self._sampled(tag) for tag in names]
        medium = medium_of(self._scene, medium_tags)
        arcs = [self._arcs(record) for record in records]
        blockers = self._scene.walls()
        if medium is None:
            self.log.warning(
                f"View factors of {names}: no medium_tags and no region called gas or air; radiation leaves along the "
                "sampled normals."
            )
        else:
            slack = slack_of(self._geometry)
            arcs = [facing_medium(entry, medium, slack) for entry in arcs]
            edges = without_windows(self._scene.region_edges(), medium, slack)
            blockers = undirected(np.concatenate([edges, self._scene.curve_edges()]))
        return self._enclosure(records, arcs, blockers, same_tag=False)


def _operand(other: Any, operation: str) -> PolygonDomain:
    """The right operand of a set operation as a polygon domain."""
    if isinstance(other, PolygonDomain):
        return other
    if isinstance(other, domain):
        raise TypeError(
            f"The {operation} of a polygon domain and another kind of domain is not defined; use polygon domains only, "
            "or stack batch rows of polygon domains with jno.domain.stack(...)."
        )
    if is_shapely(other):
        return PolygonDomain(geometry=other)
    if isinstance(other, (list, tuple, np.ndarray)):
        return PolygonDomain(other)
    raise TypeError(
        f"The {operation} needs a polygon domain, a shapely geometry or a list of vertices; got {type(other).__name__}."
    )
