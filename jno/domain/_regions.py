"""Regions that a user defines, and integration over regions: `tag`, `point_region`, `quadrature`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from jno.utils import TEXT, checked, is_integral

from .geometry import Geometry, NearestNode, NoSuchRegion
from .mesh import Quadrature, check_tag_name
from .sampling import DomainView, SampleRecord, region_of, unknown_tag

D = TypeVar("D", bound=DomainView)


# -- regions of the user ----
def tag(self: D, name: str, where: object) -> D:
    """Name the region in which a predicate holds.

    On a polygon domain the region is a part of the exact shape, which is kept when it is meshed (again). Points are
    drawn from it, by rejection where it is given by a predicate. On a mesh the region consists of all nodes that
    satisfy the predicate. If all of them lie on the boundary it is a piece of boundary with outward normals,
    otherwise a piece of the volume. Integrals run over the boundary facets all of whose nodes are selected, resp.
    the cells all of whose nodes are and whose centroid satisfies the predicate as well: what the mesh resolves of
    the region, exactly the region where that is a union of cells.
    The predicate never receives the time.

    Args:
        name: the new tag. A region defined before by `tag` may be redefined until it has been sampled.
        where: a predicate `f(x[, y[, z]])` on coordinate arrays `(N,)`, returning a boolean array `(N,)`; in the
            plane a shapely geometry; or a predicate on boundary facets, recognised by its parameter names: `f(x, n,
            name)` gets their centroids `(E, D)`, outward unit normals `(E, D)` and the name of a tag of the
            geometry they belong to (it is called for each; `boundary` where there is none), and returns a boolean
            or a boolean array `(E,)`.

    Returns:
        The domain.

    Raises:
        ValueError: the name is taken or reserved, nothing is selected, or `where` returns something else.

    Example:
        >>> import jno
        >>> d = jno.domain.rect().tag("inlet", lambda x, y: (x == 0) & (y > 0.45))
        >>> d.variable("inlet", normals=True, split=True)
        (Var(inlet[[0, 1]]), Var(inlet[[1, 2]]), Var(t), Var(n_inlet[[0, 1]]), Var(n_inlet[[1, 2]]))
    """
    check_tag_name(name)
    _check_tag_is_free(self, name)
    batch = self.batch.mapped(lambda geometry: geometry.with_tag(name, where))
    sampled = any(record.base == name for record in self.samples.records)
    for old, new in zip(self.batch.distinct, batch.distinct, strict=True):
        if not _selects(new, name):
            raise ValueError(
                f"where= of tag {name!r} selects none of the {len(new.points)} points of the domain."
                if new.lazy is None
                else f"where= of tag {name!r} selects no part of the interior or of the boundary."
            )
        if old.has(name) and sampled and not _same_region(old, new, name):
            raise ValueError(
                f"The tag {name!r} has been sampled already and cannot be redefined as another region; use a new name."
            )
    self.batch = batch
    return self


def _check_tag_is_free(domain: DomainView, name: str) -> None:
    if any(geometry.has(name) and name not in geometry.predicates for geometry in domain.batch.distinct):
        raise ValueError(f"The tag {name!r} belongs to the geometry and cannot be redefined; use another name.")
    if name in domain.samples.user_data:
        raise ValueError(f"{name!r} already names data of this domain; use another name for the region.")


def _selects(geometry: Geometry, name: str) -> bool:
    """Whether a region defined by a predicate contains anything."""
    return name in geometry.drawable or (name in geometry.tags and len(geometry.tags[name].nodes) > 0)


def _same_region(old: Geometry, new: Geometry, name: str) -> bool:
    """Whether a tag that was defined again is still the same region."""
    if old.lazy is not None:
        return old.predicates[name] is new.predicates[name]
    return np.array_equal(old.tags[name].nodes, new.tags[name].nodes)


def with_predicates(geometry: Geometry, predicates: Mapping[str, object]) -> Geometry:
    """The geometry with the user-defined regions of another one, where they select anything."""
    for name, where in predicates.items():
        geometry = _with_predicate(geometry, name, where)
    return geometry


def _with_predicate(geometry: Geometry, name: str, where: object) -> Geometry:
    if where is None or geometry.has(name):
        return geometry
    try:
        extended = geometry.with_tag(name, where)
    except NoSuchRegion:
        return geometry
    return extended if _selects(extended, name) else geometry


def point_region(self: D, name: str, xy: object) -> D:
    """Name the node of the mesh that is nearest to a point, e.g. to fix a pressure.

    Args:
        name: the new tag.
        xy: the point `(D,)`.

    Returns:
        The domain; the tag has one node, and normals when it lies on the boundary.

    Raises:
        ValueError: no mesh, a point of another dimension, or a name that is taken.

    Example:
        >>> import jno
        >>> d = jno.domain.rect(mesh_size=0.25).point_region("pin", (0.1, 0.0))
        >>> d.points[d.tag_indices["pin"]].tolist()
        [[0.0, 0.0]]
    """
    try:
        place: Float[np.ndarray, " K"] = np.asarray(xy, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        place = np.zeros(0)
    if place.shape != (self.dimension,) or not np.all(np.isfinite(place)):
        raise ValueError(f"point_region({name!r}): the point must be {self.dimension} finite numbers; got {xy!r}.")
    if self.geometry.mesh is None:
        raise ValueError(f"point_region({name!r}) names a node of a mesh, and this domain has none (yet).")
    return tag(self, name, NearestNode(tuple(place.tolist())))


# -- quadrature ----
@checked(tag=TEXT)
def quadrature(self: DomainView, tag: str, row: int = 0) -> Quadrature:
    """Nodal quadrature over the tag's own cells or facets, exact for functions linear on each of them.

    Weights: a volume shares every cell's measure equally among its vertices. A boundary tag shares its own
    edges (halves) or faces (thirds); the end points of an interval count one each.

    Args:
        tag: a tag of the geometry or a key of the context made from one.
        row: batch row, whose geometry is used on a merged domain.

    Returns:
        Points `(Q, D)`, weights `(Q,)`, normals `(Q, D)` or `None`, and node ids `(Q,)`. On a boundary a
        node where facets with different normals meet is listed once per normal. The normals point outward,
        unless the key was made with `reverse_normals=True`.

    Raises:
        ValueError: unknown tag, no mesh (connectivity), a row that does not exist, or a region of measure
            zero.

    Example:
        >>> import jno
        >>> float(jno.domain.rect((0, 3)).quadrature("top").weights.sum().round(12))
        3.0
    """
    geometries = self.batch.by_row
    if not is_integral(row) or not 0 <= row < len(geometries):
        raise ValueError(f"row={row!r} does not exist; the domain has {len(geometries)} batch row(s).")
    return _quadrature_on(self, geometries[row], tag, self)


@checked(tag=TEXT)
def measure(self: DomainView, tag: str = "interior") -> float:
    """The volume of a region; of a boundary its area (in the plane its length, of end points their number).

    `domain.measure(tag) * f.mean` is the Monte Carlo estimate of an integral, over the points that are sampled at the
    time: those of the step where they are replaced in every step.

    Args:
        tag: a tag of the geometry or a key of the context made from one.

    Returns:
        The measure; of a shape that points are drawn from that of the shape, otherwise that of the cells or facets.

    Raises:
        ValueError: unknown tag, a point cloud, a part of a shape given by a predicate, or a merged domain whose
            geometries differ in it.

    Example:
        >>> import jno
        >>> jno.domain.box([0.0] * 4, [1.0, 1.0, 1.0, 2.0]).measure("boundary")
        14.0
    """
    record = self.samples.find(tag)
    region = region_of(tag) if record is None else record.region
    if not self.batch.every(lambda geometry: geometry.has(region)):
        raise unknown_tag(self, tag)
    measures = [geometry.measure(region) for geometry in self.batch.distinct]
    if not np.allclose(measures, measures[0], rtol=1e-9, atol=0.0):
        raise ValueError(
            f"measure({tag!r}): the geometries of this merged domain differ in it, {measures}; ask each of them before "
            "merging, and attach the values as data."
        )
    return measures[0]


def quadratures(domain: DomainView, tag: str, recorded_on: DomainView) -> list[Quadrature]:
    """The quadrature of a tag on every distinct geometry, where `recorded_on` knows what its key stands for."""
    return [_quadrature_on(domain, geometry, tag, recorded_on) for geometry in domain.batch.distinct]


def _quadrature_on(domain: DomainView, geometry: Geometry, tag: str, recorded_on: DomainView) -> Quadrature:
    here, recorded = domain.samples.find(tag), recorded_on.samples.find(tag)
    record = recorded if here is None else here
    region = region_of(tag) if record is None else record.region
    if not geometry.has(region):
        geometry = _with_predicate(geometry, region, recorded_on.geometry.predicates.get(region))
    if not geometry.has(region):
        raise _no_region(domain, tag, recorded_on)
    if geometry.mesh is not None and not domain.compute_mesh_connectivity:
        raise ValueError(
            f"No integral over the tag {tag!r}: there is no mesh_connectivity, because the domain was made with "
            "compute_mesh_connectivity=False; leave that out."
        )
    rule = geometry.quadrature(region)
    return rule.reversed() if _points_inward(here, recorded) else rule


def _points_inward(here: SampleRecord | None, recorded: SampleRecord | None) -> bool:
    """Whether the normals of a key point inward: as they were sampled here, else where they were recorded."""
    sampled = recorded if here is None or not here.normals else here
    return sampled is not None and sampled.reverse_normals


def _no_region(domain: DomainView, tag: str, recorded_on: DomainView) -> ValueError:
    if tag in domain.samples.data_tags | recorded_on.samples.data_tags:
        return ValueError(
            f"No integral over {tag!r}: these are points of your own, without cells and so without weights. Use "
            ".mean, or a region of the domain."
        )
    return unknown_tag(domain, tag)
