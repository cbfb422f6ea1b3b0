"""The methods that only polygon domains have: set operations, regions, meshing, view factors with a medium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from jno.utils import FLAG, checked, instance

from .._shapely import is_shapely
from .._time import Time, TimeAxis
from ..geometry import Geometry, GeometryBatch
from ..mesh import Arcs
from ..radiation import (
    ViewFactors,
    arcs_of_record,
    boundary_list,
    enclosure,
    facing_medium,
    sampled_boundary,
    without_windows,
)
from ..sampling import DomainView, merged_arrays, prefill
from ._build import build_scene
from ._geometry import undirected
from ._medium import medium_of
from ._mesh import mesh_scene
from ._operators import combine, with_region, with_segments
from ._scene import PolygonScene

P = TypeVar("P", bound=DomainView)


def scene_of(domain: DomainView) -> PolygonScene:
    """The polygons of a polygon domain."""
    scene = domain.geometry.lazy
    assert isinstance(scene, PolygonScene)
    return scene


# -- set operations ----
def union(self: P, other: object) -> P:
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
    return _combined(self, other, "union")


def intersection(self: P, other: object) -> P:
    """The domain of all points in both; `&` does the same. See `union`.

    Example:
        >>> import jno
        >>> from shapely.geometry import box
        >>> (jno.domain(box(0, 0, 2, 1)) & box(1, 0, 3, 1)).total_samples
        1
    """
    return _combined(self, other, "intersection")


def difference(self: P, other: object) -> P:
    """The domain of all points that are not in `other`; `-` does the same. See `union`.

    Edges of what was taken away are tags of the hole, with normals that point into it.

    Example:
        >>> import jno
        >>> from shapely.geometry import box
        >>> (jno.domain(box(0, 0, 2, 1)) - box(1, 0, 3, 1)).available_mesh_tags
        ['interior', 'boundary', 'left', 'right', 'bottom', 'top']
    """
    return _combined(self, other, "difference")


def symmetric_difference(self: P, other: object) -> P:
    """The domain of all points in exactly one of both; `^` does the same. See `union`.

    Example:
        >>> import jno
        >>> from shapely.geometry import box
        >>> d = jno.domain(box(0, 0, 2, 1)) ^ box(1, 0, 3, 1)
        >>> d.available_mesh_tags
        ['interior', 'boundary']
    """
    return _combined(self, other, "symmetric_difference")


def _combined(domain: P, other: object, operation: str) -> P:
    if isinstance(other, DomainView):
        return _combined_domains(domain, other, operation)
    if not is_shapely(other) and not isinstance(other, (list, tuple, np.ndarray)):
        raise TypeError(
            f"The {operation} needs a polygon domain, a shapely geometry or a list of vertices; got "
            f"{type(other).__name__}."
        )
    return _on_scene(domain, combine(scene_of(domain), build_scene(other), operation), domain.time_axis)


def _combined_domains(domain: P, other: DomainView, operation: str) -> P:
    if not isinstance(other, type(domain)):
        raise TypeError(
            f"The {operation} of a polygon domain and another kind of domain is not defined; use polygon domains only, "
            "or stack batch rows of polygon domains with jno.domain.stack(...)."
        )
    scene = combine(scene_of(domain), scene_of(other), operation)
    combined = _on_scene(domain, scene, TimeAxis.common(domain.time_axis, other.time_axis))
    combined.parameters = {**other.parameters, **domain.parameters}
    combined.arrays = merged_arrays(domain.arrays, other.arrays)
    return combined


def _on_scene(domain: P, scene: PolygonScene, time_axis: Time | None) -> P:
    """A new domain on another scene, with the parameters of a domain."""
    batch = GeometryBatch.of(Geometry.from_regions(scene))
    combined = type(domain).from_batch(batch, time_axis)
    combined.compute_mesh_connectivity = domain.compute_mesh_connectivity
    combined.parameters = dict(domain.parameters)
    combined.arrays = dict(domain.arrays)
    return combined


# -- regions ----
def region(self: P, name: str, where: object, *, kind: str | None = None) -> P:
    """Name a region of the domain.

    Args:
        name: the new tag.
        where: a shapely Polygon or MultiPolygon, which becomes an interior tag and a source region (with
            `interior_<name>` and its edges); a LineString or MultiLineString, which becomes a boundary tag; a
            predicate `f(x, y) -> bool`, called with two numbers at the midpoint of every edge of the boundary,
            which selects whole edges; or the name of a tag, for a second name.
        kind: `"boundary"` or `"interior"` (what `where` is).

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
    return _with_scene(self, with_region(scene_of(self), name, where, kind))


def add_boundary_segments(
    self: P,
    tag: str,
    segments: Sequence[Any] | np.ndarray,
    *,
    normal_geometry: object = None,
) -> P:
    """Name a boundary region by its segments, e.g. a surface of an imported model.

    Args:
        tag: the new tag.
        segments: pairs of points `(E, 2, 2)`, or `(E, 2, 3)` of which z is dropped; segments of length zero are
            left out.
        normal_geometry: the normals point out of this: a region, a sequence of regions (their union), a shapely
            geometry (the whole domain).

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
    return _with_scene(self, with_segments(scene_of(self), tag, segments, normal_geometry))


def _with_scene(domain: P, scene: PolygonScene) -> P:
    assert scene.table is not None  # ambiguous names are found here
    domain.batch = domain.batch.mapped(lambda geometry: replace(geometry, lazy=scene))
    return domain


# -- mesh ----
_SIZES = instance("a dict region -> size", Mapping)


@checked(region_mesh_sizes=_SIZES, sizes=_SIZES, interpolate=FLAG)
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
    by_region = {**(sizes or {}), **(region_mesh_sizes or {})}
    meshed = mesh_scene(scene_of(self), mesh_size, algorithm, by_region, interpolate)
    self.batch = self.batch.mapped(lambda geometry: meshed)
    self.algorithm = algorithm
    self.compute_mesh_connectivity = True
    prefill(self)
    return self


# -- radiation ----
def compute_enclosure_view_factor(
    self: DomainView,
    tags: Sequence[str] | str,
    opaque_tags: Sequence[str] | str | None = None,
    medium_tags: Sequence[str] | str | None = None,
) -> ViewFactors:
    """View factors between the boundary tags of a radiation enclosure.

    As in `jno.domain.compute_enclosure_view_factor`, with two differences: exchange of a tag with itself is left
    out (its blocks are zero; `variable(tag, view_factor=True)` gives it), and the medium may be named.

    Args:
        tags: boundary tags, sampled before with normals; a name or a list of names.
        opaque_tags: checked, and otherwise without effect: all edges of all regions block the view.
        medium_tags: regions whose union, without all other regions, is the radiating medium; radiation then leaves
            a surface on the side of the medium, independent of its normals, and edges with the medium on both sides do
            not block. A region called air (in any case) stands for all of the bounding box of the scene that no
            other region fills. Default: the regions called gas or air; if there are none, the sampled normals
            count, and a warning says so.

    Returns:
        `F[a][b]`, a `TensorTag` `f_<a>__<b>` with data `(1, 1, N_a, N_b)`; the context also holds the visibilities
        `v_<a>__<b>` and all blocks together, `f_<a+b>` and `v_<a+b>`.

    Raises:
        ValueError: no tags, an unknown region or tag, a tag that is not a boundary or not sampled with normals.
        NotImplementedError: batch rows with different points.

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
        boundary_list(self, opaque_tags, "opaque_tags")
    names = boundary_list(self, tags)
    records = [sampled_boundary(self, tag) for tag in names]
    scene = scene_of(self)
    medium = medium_of(scene, medium_tags)
    arcs = [arcs_of_record(self, record) for record in records]
    if medium is None:
        self.log.warning(
            f"View factors of {names}: no medium_tags and no region called gas or air; radiation leaves along the "
            "sampled normals."
        )
        return enclosure(self, records, arcs, scene.walls(), same_tag=False)
    slack = self.geometry.slack
    turned: list[Arcs] = [facing_medium(curve, medium, slack) for curve in arcs]
    edges = without_windows(scene.region_edges(), medium, slack)
    blockers = undirected(np.concatenate([edges, scene.curve_edges()]))
    return enclosure(self, records, turned, blockers, same_tag=False)
