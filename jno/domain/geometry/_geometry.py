"""What a domain is made of: points, an optional mesh, and tags.  Immutable: a new tag, a new geometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ..mesh import (
    Facets,
    Mesh,
    MeshConnectivity,
    Quadrature,
    Tag,
    cell_quadrature,
    facet_frames,
    facet_quadrature,
    mesh_connectivity,
)
from ._lazy import LazyRegions
from ._predicates import NearestNode, checked_where
from ._selection import select, select_on_mesh, select_points, where_on


class ConnectivityCache:
    """The connectivity of one mesh, computed at first use and shared by all geometries on that mesh."""

    # beside the geometry, which is replaced by a new one whenever a tag is added
    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    @cached_property
    def value(self) -> MeshConnectivity:
        """The connectivity dictionary."""
        return mesh_connectivity(self._mesh)


@dataclass(frozen=True, eq=False)
class Geometry:
    """Points `(N, D)`, tags into them, and the mesh that connects them (`None` for a point cloud).

    With `lazy`, points of its regions can also be drawn from the shape itself; before it is meshed such a geometry has
    neither points nor tags into them. The variables of a `timeless` geometry come without the time.
    """

    points: Float[np.ndarray, "N D"]
    tags: Mapping[str, Tag]
    mesh: Mesh | None = None
    ds: float | None = None
    grid_shape: tuple[int, ...] | None = None
    connectivity: ConnectivityCache | None = field(default=None, repr=False)
    lazy: LazyRegions | None = field(default=None, repr=False)
    timeless: bool = False

    @classmethod
    def from_mesh(
        cls, mesh: Mesh, tags: Mapping[str, Tag], *, ds: float, grid_shape: tuple[int, ...] | None = None
    ) -> Geometry:
        """The geometry of a mesh."""
        return cls(mesh.points, tags, mesh, ds, grid_shape, ConnectivityCache(mesh))

    @classmethod
    def from_regions(cls, lazy: LazyRegions) -> Geometry:
        """The geometry of regions without a mesh."""
        return cls(np.zeros((0, lazy.dimension)), {}, lazy=lazy)

    @property
    def is_cloud(self) -> bool:
        """Whether there is nothing but points."""
        return self.mesh is None and self.lazy is None

    @property
    def names(self) -> list[str]:
        """The tags: those of the mesh where there is one."""
        return list(self.tags) if self.lazy is None or self.mesh is not None else list(self.lazy.names)

    @property
    def drawable(self) -> frozenset[str]:
        """Tags whose points can be drawn from the shape itself."""
        return frozenset() if self.lazy is None else frozenset(self.lazy.names)

    @property
    def predicates(self) -> dict[str, Any]:
        """Regions that a user defined by `tag`, and their `where`."""
        of_shape = {} if self.lazy is None else dict(self.lazy.predicates)
        return of_shape | {name: tag.where for name, tag in self.tags.items() if tag.where is not None}

    def has(self, name: str) -> bool:
        """Whether a tag has nodes here or can be drawn from."""
        return name in self.tags or name in self.drawable

    def is_boundary(self, name: str) -> bool:
        """Whether points of the tag have outward normals."""
        if name in self.drawable and self.lazy is not None:
            return self.lazy.is_boundary(name)
        return self.tags[name].is_boundary

    @property
    def dimension(self) -> int:
        """Number of space dimensions."""
        return int(self.points.shape[1])

    @property
    def slack(self) -> float:
        """Distance within which two points are one."""
        lower, upper = self.bounds
        return 1e-9 * float(np.linalg.norm(upper - lower))

    @property
    def bounds(self) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
        """Lower and upper corner of the box around the points, or around the regions of a shape."""
        return self.lazy.bounds if self.lazy is not None else (self.points.min(axis=0), self.points.max(axis=0))

    def pool(self, tag: str) -> Float[np.ndarray, "n D"]:
        """All points of a tag."""
        return self.points[self.tags[tag].nodes]

    def with_tag(self, name: str, where: object) -> Geometry:
        """The same geometry with one more tag, which may be empty."""
        if self.lazy is not None:
            lazy = (
                self.lazy.with_pin(name, where) if isinstance(where, NearestNode) else self.lazy.with_tag(name, where)
            )
            return self._with_lazy_tag(lazy, name, where)
        mesh, points = self.mesh, self.points
        tag = select_points(name, where, points) if mesh is None else select(name, where, mesh, self.tags)
        return replace(self, tags={**self.tags, name: tag})

    def _with_lazy_tag(self, lazy: LazyRegions, name: str, where: object) -> Geometry:
        tags = {key: tag for key, tag in self.tags.items() if key != name}
        nodes = lazy.on_nodes(name)
        if self.mesh is not None and nodes is not None:
            tag = select_on_mesh(name, nodes, self.mesh)
            if len(tag.nodes):
                tags[name] = replace(tag, where=where)
        return replace(self, lazy=lazy, tags=tags)

    def facets_of(self, name: str) -> Facets:
        """The edges (faces, end points) of a boundary tag."""
        if self.lazy is not None and name in self.drawable:
            return self.lazy.curve(name)
        mesh, tag = self.mesh, self.tags[name]
        if mesh is None or tag.facets is None:
            raise ValueError(
                f"The tag {name!r} has no edges, faces or end points of its own, only {len(tag.nodes)} node(s)."
            )
        facets = mesh.facets[tag.facets]
        return Facets(mesh.points[facets], facet_frames(mesh.points, facets, mesh.opposite[tag.facets])[1])

    def cells_of(self, name: str) -> Int[np.ndarray, " m"] | None:
        """Cells of a volume tag, those whose centroid lies in it; `None` for boundaries and single nodes."""
        mesh, tag = self.mesh, self.tags[name]
        if mesh is None or tag.is_boundary or tag.facets is not None:
            return None
        if tag.where is None or isinstance(tag.where, NearestNode):
            return tag.cells
        centroids = mesh.points[mesh.cells].mean(axis=1)
        inside = np.asarray(checked_where(name, tag.where, self.slack).at_points(*centroids.T))
        return np.flatnonzero(np.broadcast_to(inside, (len(centroids),)))

    def measure(self, name: str) -> float:
        """Volume, area or length of a tag: of the shape where there is one."""
        if self.lazy is not None and name in self.drawable:
            return self.lazy.measure(name)
        return float(self.quadrature(name).weights.sum())

    def quadrature(self, name: str) -> Quadrature:
        """Nodal quadrature on the tag's own cells or facets."""
        if self.lazy is not None and name not in self.tags:
            raise ValueError(
                f"The tag {name!r} has no mesh to integrate on (no mesh_connectivity). {self.lazy.meshless}"
                if self.mesh is None
                else f"No integral over the tag {name!r}: the mesh has no facet or cell of it. Call "
                "build_mesh(mesh_size) again, for a tag that is newer than the mesh or with a smaller size."
            )
        tag = self.tags[name]
        if self.mesh is None:
            raise ValueError(
                f"The tag {name!r} belongs to a point cloud: without a mesh there are no quadrature weights "
                "(no mesh_connectivity). "
                f"Use .mean() for a Monte-Carlo average, or a mesh-backed domain such as jno.domain.rect()."
            )
        if tag.cells is not None:
            return cell_quadrature(self.mesh, tag.cells)
        if tag.facets is not None:
            return facet_quadrature(self.mesh, tag.facets)
        raise ValueError(
            f"No integral over the tag {name!r}: its {len(tag.nodes)} node(s) contain all nodes of no cell "
            "and of no boundary facet, so the selected set has measure zero. Widen where= or refine the mesh."
        )

    def boundary_registry(self) -> dict[str, dict[str, Any]]:
        """Boundary regions: tag, kind of entity, node ids and points."""
        if self.mesh is None:
            return {}
        registry = {}
        for name, tag in self.tags.items():
            nodes = self._boundary_nodes(self.mesh, tag)
            if nodes is not None:
                registry[name] = {
                    "tag": name,
                    "entity_kind": self.mesh.facet_kind,
                    "point_indices": nodes,
                    "points": self.points[nodes],
                }
        return registry

    @staticmethod
    def _boundary_nodes(mesh: Mesh, tag: Tag) -> np.ndarray | None:
        """Nodes of the tag's part of the boundary; for a thick region, of facets with the centroid inside."""
        if tag.is_boundary or isinstance(tag.where, NearestNode):  # a pinned node is a location by itself
            return tag.nodes
        if tag.where is None:
            return None
        facets = mesh.facets[mesh.facet_sets["boundary"]]
        inside = np.asarray(where_on(tag.name, tag.where, mesh.points).at_points(*mesh.points[facets].mean(axis=1).T))
        return np.unique(facets[inside]) if np.any(inside) else None
