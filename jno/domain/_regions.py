"""Regions that a user defines, and integration over regions."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from .geometry._geometry import Geometry
from .geometry._merge import Group, distinct_geometries, row_geometries
from .geometry._predicates import NoSuchRegion
from .mesh._quadrature import Quadrature
from .mesh._tags import check_tag_name
from .sampling._attributes import Attributes
from .sampling._context import INITIAL

R = TypeVar("R", bound="Regions")


class Regions(Attributes):
    """Tags defined by predicates, and the quadrature of every tag."""

    def tag(self: R, name: str, where: Any) -> R:
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
        self._check_tag_is_free(name)
        made = {id(group.geometry): group.geometry.with_tag(name, where) for group in self._groups}
        groups = tuple(Group(made[id(group.geometry)], group.rows) for group in self._groups)
        for old, new in zip(self._groups, groups, strict=True):
            if not selects(new.geometry, name):
                raise ValueError(
                    f"where= of tag {name!r} selects none of the {len(new.geometry.points)} points of the domain."
                    if new.geometry.lazy is None
                    else f"where= of tag {name!r} selects no part of the interior or of the boundary."
                )
            sampled = any(record.base == name for record in self._store.records)
            if old.geometry.has(name) and sampled and not _same_region(old.geometry, new.geometry, name):
                raise ValueError(
                    f"The tag {name!r} has been sampled already and cannot be redefined as another region; "
                    "use a new name."
                )
        self._groups = groups
        return self

    def _check_tag_is_free(self, name: str) -> None:
        geometries = [group.geometry for group in self._groups]
        if any(geometry.has(name) and name not in geometry.predicates for geometry in geometries):
            raise ValueError(f"The tag {name!r} belongs to the geometry and cannot be redefined; use another name.")
        if name in self._store.tensor_tags | self._store.data_tags:
            raise ValueError(f"{name!r} already names data of this domain; use another name for the region.")

    def quadrature(self, tag: str, row: int = 0) -> Quadrature:
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
        rows = row_geometries(self._groups)
        if not 0 <= row < len(rows):
            raise ValueError(f"row={row} does not exist; the domain has {len(rows)} batch row(s).")
        return self._quadrature_on(rows[row], tag, self)

    def _quadratures(self, tag: str, recorded_on: Any) -> list[Quadrature]:
        """The quadrature of a tag on every distinct geometry, where `recorded_on` knows what its key stands for."""
        return [self._quadrature_on(geometry, tag, recorded_on) for geometry in distinct_geometries(self._groups)[0]]

    def _quadrature_on(self, geometry: Geometry, tag: str, recorded_on: Any) -> Quadrature:
        own, recorded = self._store.find(tag), recorded_on._store.find(tag)
        record = recorded if own is None else own
        region = record.region if record is not None else "interior" if tag == INITIAL else tag
        if not geometry.has(region):
            geometry = with_predicate(geometry, region, recorded_on._geometry.predicates.get(region))
        if not geometry.has(region):
            raise self._no_region(tag, recorded_on)
        if geometry.mesh is not None and not self.compute_mesh_connectivity:
            raise ValueError(
                f"No integral over the tag {tag!r}: there is no mesh_connectivity, because the domain was made with "
                "compute_mesh_connectivity=False; leave that out."
            )
        rule = geometry.quadrature(region)
        sampled = recorded if own is None or not own.normals else own
        return rule.reversed() if sampled is not None and sampled.reverse_normals else rule

    def _no_region(self, tag: str, recorded_on: Any) -> ValueError:
        if tag in self._store.data_tags | recorded_on._store.data_tags:
            return ValueError(
                f"No integral over {tag!r}: these are points of your own, without cells and so without weights. Use "
                ".mean, or a region of the domain."
            )
        return self._unknown_tag(tag)

    def _unknown_tag(self, tag: Any) -> ValueError:
        data = sorted(self._store.tensor_tags | self._store.data_tags)
        lazy = self._geometry.lazy
        hint = "" if lazy is None else lazy.hint(tag)
        return ValueError(f"Unknown tag {tag!r}.{hint} Tags of this domain: {self._pool_tags()}; data: {data}.")


def selects(geometry: Geometry, name: str) -> bool:
    """Whether a region defined by a predicate contains anything."""
    return name in geometry.drawable or (name in geometry.tags and len(geometry.tags[name].nodes) > 0)


def _same_region(old: Geometry, new: Geometry, name: str) -> bool:
    """Whether a tag that was defined again is still the same region."""
    if old.lazy is not None:
        return old.predicates[name] is new.predicates[name]
    return np.array_equal(old.tags[name].nodes, new.tags[name].nodes)


def with_predicate(geometry: Geometry, name: str, where: Any) -> Geometry:
    """The geometry with a user-defined region of another one, where it selects anything."""
    if where is None or geometry.has(name):
        return geometry
    try:
        extended = geometry.with_tag(name, where)
    except NoSuchRegion:
        return geometry
    return extended if selects(extended, name) else geometry
