"""Unknowns of a weak problem: their nodes, and where their degrees of freedom stand in the system."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jno.domain.mesh import Mesh
from jno.elements import DofMap, lagrange, number_dofs
from jno.trace import Field

from ._regions import Region


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """The degrees of freedom of one field, node by node, the components of a node side by side.

    Attributes:
        field: the field.
        nodes: where its nodes lie.
        start: the first degree of freedom in the system.
    """

    field: Field
    nodes: DofMap
    start: int

    @property
    def size(self) -> int:
        """Number of degrees of freedom."""
        return self.nodes.count * self.field.components

    @property
    def block(self) -> slice:
        """The field's part of the vector of all degrees of freedom."""
        return slice(self.start, self.start + self.size)

    def dofs(self, nodes: Int[np.ndarray, ...]) -> Int[np.ndarray, ...]:
        """Degrees of freedom of nodes, one more axis for the components."""
        return self.start + nodes[..., None] * self.field.components + np.arange(self.field.components)

    def nodes_on(self, region: Region) -> Int[np.ndarray, " n"]:
        """Distinct nodes of the field on a region, ascending."""
        if region.kind == "volume":
            return np.unique(self.nodes.nodes[region.cells])
        if region.kind == "nodes":
            assert region.nodes is not None
            return np.unique(region.nodes)
        assert region.opposite is not None
        return np.unique(self.nodes.on_facets(region.cells, region.opposite))

    def normals_on(self, region: Region, nodes: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n D"] | None:
        """The normal of one of the facets that meet at each node; None off the boundary."""
        if region.opposite is None or region.normals is None:
            return None
        on_facets = self.nodes.on_facets(region.cells, region.opposite)
        owner = np.zeros(self.nodes.count, dtype=np.int64)
        owner[on_facets] = np.arange(len(on_facets))[:, None]
        return region.normals[owner[nodes]]


def spaces_of(fields: Sequence[Field], mesh: Mesh) -> tuple[Space, ...]:
    """The spaces of fields, one after the other."""
    maps: dict[int, DofMap] = {}
    spaces: list[Space] = []
    start = 0
    for field in fields:
        if field.order not in maps:
            maps[field.order] = number_dofs(lagrange(mesh.dimension, field.order), mesh.points, mesh.cells)
        spaces.append(Space(field, maps[field.order], start))
        start += spaces[-1].size
    return tuple(spaces)
