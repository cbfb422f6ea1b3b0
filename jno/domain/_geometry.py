"""What a domain is made of: points, an optional mesh, and tags.  Immutable: a new tag, a new geometry."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from ._connectivity import MeshConnectivity, mesh_connectivity
from ._mesh import Mesh
from ._quadrature import Quadrature, cell_quadrature, facet_quadrature
from ._tags import Predicate, Tag, select_on_mesh, select_points


class ConnectivityCache:
    """The connectivity of one mesh, computed at first use and shared by all geometries on that mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    @cached_property
    def value(self) -> MeshConnectivity:
        """The connectivity dictionary."""
        return mesh_connectivity(self._mesh)


@dataclass(frozen=True, eq=False)
class Geometry:
    """Points `(N, D)`, tags into them, and the mesh that connects them (`None` for a point cloud)."""

    points: Float[np.ndarray, "N D"]
    tags: Mapping[str, Tag]
    mesh: Mesh | None = None
    ds: float | None = None
    grid_shape: tuple[int, ...] | None = None
    connectivity: ConnectivityCache | None = field(default=None, repr=False)

    @classmethod
    def from_mesh(
        cls, mesh: Mesh, tags: Mapping[str, Tag], *, ds: float, grid_shape: tuple[int, ...] | None = None
    ) -> "Geometry":
        """The geometry of a mesh."""
        return cls(mesh.points, tags, mesh, ds, grid_shape, ConnectivityCache(mesh))

    @property
    def dimension(self) -> int:
        """Number of space dimensions."""
        return int(self.points.shape[1])

    def pool(self, tag: str) -> Float[np.ndarray, "n D"]:
        """All points of a tag."""
        return self.points[self.tags[tag].nodes]

    def with_tag(self, name: str, where: Predicate) -> "Geometry":
        """The same geometry with one more tag, which may be empty."""
        mesh, points = self.mesh, self.points
        tag = select_points(name, where, points) if mesh is None else select_on_mesh(name, where, mesh)
        return replace(self, tags={**self.tags, name: tag})

    def quadrature(self, name: str) -> Quadrature:
        """Nodal quadrature on the tag's own cells or facets."""
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
        if tag.is_boundary:
            return tag.nodes
        if tag.where is None:
            return None
        facets = mesh.facets[mesh.facet_sets["boundary"]]
        inside = np.asarray(tag.where(*mesh.points[facets].mean(axis=1).T))
        return np.unique(facets[inside]) if np.any(inside) else None
