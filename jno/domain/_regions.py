"""Regions that a user defines, and integration over regions."""

from typing import Any, TypeVar

import numpy as np

from ._attributes import Attributes
from ._context import INITIAL
from ._geometry import Geometry
from ._merge import Group, distinct_geometries, row_geometries
from ._quadrature import Quadrature
from ._tags import Tag, check_predicate, check_tag_name

R = TypeVar("R", bound="Regions")


class Regions(Attributes):
    """Tags defined by predicates, and the quadrature of every tag."""

    def tag(self: R, name: str, where: Any) -> R:
        """Name the region in which a predicate holds.

        The region consists of all nodes that satisfy the predicate. If all of them lie on the boundary it is
        a piece of boundary with outward normals, otherwise a piece of the volume. Integrals run over the
        boundary facets resp. cells all of whose nodes are selected: exactly the region where that is a union of
        facets or cells, otherwise what of it the mesh resolves. The predicate never receives the time.

        Args:
            name: the new tag. A region defined before by `tag` may be redefined until it has been sampled.
            where: `f(x[, y[, z]])` on coordinate arrays `(N,)`, returning a boolean array `(N,)`.

        Returns:
            The domain.

        Raises:
            ValueError: the name is taken or reserved, nothing is selected, or `where` returns something else.
            NotImplementedError: shapely geometries and facet predicates `f(x, n, name)`.

        Example:
            >>> import jno
            >>> d = jno.domain.rect().tag("inlet", lambda x, y: (x == 0) & (y > 0.45))
            >>> d.variable("inlet", normals=True, split=True)
            (Var(inlet[[0, 1]]), Var(inlet[[1, 2]]), Var(t), Var(n_inlet[[0, 1]]), Var(n_inlet[[1, 2]]))
        """
        check_tag_name(name)
        check_predicate(name, where)
        self._check_tag_is_free(name)
        made = {id(group.geometry): group.geometry.with_tag(name, where) for group in self._groups}
        groups = tuple(Group(made[id(group.geometry)], group.rows) for group in self._groups)
        for old, new in zip(self._groups, groups, strict=True):
            tag = new.geometry.tags[name]
            if not len(tag.nodes):
                raise ValueError(
                    f"where= of tag {name!r} selects none of the {len(new.geometry.points)} points of the domain."
                )
            known = old.geometry.tags.get(name)
            sampled = any(record.base == name for record in self._store.records)
            if known is not None and sampled and not np.array_equal(known.nodes, tag.nodes):
                raise ValueError(
                    f"The tag {name!r} has been sampled already and cannot be redefined as another region; "
                    "use a new name."
                )
        self._groups = groups
        return self

    def _check_tag_is_free(self, name: str) -> None:
        known = self._geometry.tags.get(name)
        if known is not None and known.where is None:
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
        if region not in geometry.tags:
            geometry = with_predicate(geometry, recorded_on._geometry.tags.get(region))
        if region not in geometry.tags:
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
        return ValueError(f"Unknown tag {tag!r}. Tags of this domain: {self._pool_tags()}; data: {data}.")


def with_predicate(geometry: Geometry, tag: Tag | None) -> Geometry:
    """The geometry with a user-defined region of another one, where it selects anything."""
    if tag is None or tag.where is None or tag.name in geometry.tags:
        return geometry
    extended = geometry.with_tag(tag.name, tag.where)
    return extended if len(extended.tags[tag.name].nodes) else geometry
