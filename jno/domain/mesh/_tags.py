"""Tags: named sets of nodes with the cells or facets that belong to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jno.utils import takes

from ._mesh import Mesh
from ._topology import first_appearance, nodal_normals, used_nodes

Predicate = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Tag:
    """A named region.

    Attributes:
        name: the tag.
        nodes: node ids in pool order.
        cells: ids of the region's own cells, `None` when it has none.
        facets: ids of the region's own facets, `None` when it has none.
        normals: outward unit normals at the nodes, `None` when the region is not a boundary.
        where: what a user defined the region by.
    """

    name: str
    nodes: Int[np.ndarray, " n"]
    cells: Int[np.ndarray, " m"] | None = None
    facets: Int[np.ndarray, " e"] | None = None
    normals: Float[np.ndarray, "n D"] | None = None
    where: Any = None

    def __post_init__(self) -> None:
        for array in (self.nodes, self.cells, self.facets, self.normals):
            if array is not None:
                array.setflags(write=False)

    @property
    def is_boundary(self) -> bool:
        """Whether the region is (a part of) the boundary and has normals."""
        return self.normals is not None


def check_tag_name(name: object) -> None:
    """A name that cannot be confused with the keys a domain makes itself."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"A tag must be a non-empty string; got {name!r}.")
    if "@" in name or name.startswith("__") or name == "initial":
        raise ValueError(
            f"The tag {name!r} is reserved: '@', a leading '__' and 'initial' mark tags that a domain makes itself."
        )


def cell_tag(mesh: Mesh, name: str) -> Tag:
    """The tag of a named cell set; its nodes include those on the boundary."""
    cells = np.asarray(mesh.cell_sets[name])
    return Tag(name, used_nodes(mesh.cells[cells], len(mesh.points)), cells=cells)


def facet_tag(mesh: Mesh, name: str) -> Tag:
    """The tag of a named facet set, with every node of every component."""
    facets = np.asarray(mesh.facet_sets[name])
    nodes = first_appearance(mesh.facets[facets].reshape(-1))
    normals = nodal_normals(mesh.points, mesh.facets[facets], mesh.opposite[facets])
    return Tag(name, nodes, facets=facets, normals=normals[nodes])


def mesh_tags(mesh: Mesh, aliases: dict[str, str] | None = None) -> dict[str, Tag]:
    """Tags of all named sets of a mesh; `aliases` maps further names to existing ones."""
    tags = {name: cell_tag(mesh, name) for name in mesh.cell_sets}
    tags.update({name: facet_tag(mesh, name) for name in mesh.facet_sets})
    for alias, name in (aliases or {}).items():
        tags[alias] = Tag(alias, tags[name].nodes, facets=tags[name].facets, normals=tags[name].normals)
    return tags


def evaluate_predicate(name: str, where: Predicate, points: Float[np.ndarray, "N D"]) -> Bool[np.ndarray, " N"]:
    """The predicate at the points, checked to be one boolean per point."""
    try:
        mask = np.asarray(where(*points.T))
    except TypeError as error:
        if takes(where, points.shape[1]):
            raise
        raise TypeError(f"where= of tag {name!r} must take the {points.shape[1]} coordinates: {error}") from error
    if mask.dtype != np.bool_ or mask.shape != (len(points),):
        raise ValueError(
            f"where= of tag {name!r} must map {points.shape[1]} coordinate arrays of shape ({len(points)},) "
            f"to a boolean array of the same shape; it returned dtype {mask.dtype} and shape {mask.shape}."
        )
    return mask
