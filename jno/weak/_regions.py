"""Where a term of a weak form lives: cells, facets with their cells, or single nodes of the mesh."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from jno.domain import domain as Domain
from jno.domain.mesh import Mesh, facet_frames, find_simplices
from jno.domain.sampling import region_of

INITIAL = "initial"


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """Cells, facets or nodes of a mesh.

    Attributes:
        name: the tag.
        kind: what it consists of.
        cells: of a volume its cells, of a boundary the cell that every facet belongs to.
        opposite: position, among the vertices of that cell in ascending order, of the vertex off the facet.
        measures: length or area of every facet.
        normals: outward unit normal of every facet.
        nodes: vertices of the mesh, of a region without cells and facets.
    """

    name: str
    kind: Literal["volume", "surface", "nodes"]
    cells: Int[np.ndarray, " E"]
    opposite: Int[np.ndarray, " E"] | None = None
    measures: Float[np.ndarray, " E"] | None = None
    normals: Float[np.ndarray, "E D"] | None = None
    nodes: Int[np.ndarray, " n"] | None = None


def mesh_of(domain: Domain) -> Mesh:
    """The one mesh of a domain.

    Raises:
        ValueError: no mesh.
        NotImplementedError: several geometries.
    """
    if len(domain.batch.distinct) > 1:
        raise NotImplementedError("jno.fem: weak forms on merged domains of several geometries are not available")
    mesh = domain.geometry.mesh
    if mesh is None:
        raise ValueError(
            "jno.fem: weak forms need a mesh and the domain has none; call domain.build_mesh(mesh_size), or make the "
            "domain with mesh_size="
        )
    return mesh


def region_name(domain: Domain, tag: str) -> str:
    """The region that a key of the context belongs to: `interior@1` belongs to `interior`."""
    if tag.partition("@")[0] == INITIAL:
        return INITIAL
    record = domain.samples.find(tag)
    return region_of(tag) if record is None else record.region


def points_inward(domain: Domain, tag: str) -> bool:
    """Whether the normals of a key were sampled inward."""
    record = domain.samples.find(tag)
    return record is not None and record.reverse_normals


def region_on_mesh(domain: Domain, name: str, *, inward: bool = False) -> Region:
    """The region of a tag.

    Raises:
        ValueError: the mesh has no such tag, or nothing of it.
    """
    mesh, geometry = mesh_of(domain), domain.geometry
    if name == INITIAL:
        name = "interior"
    if name not in geometry.tags:
        raise ValueError(
            f"jno.fem: the mesh has no region {name!r}; its tags are {sorted(geometry.tags)}. Tags that are newer than "
            "the mesh need build_mesh(...) again"
        )
    tag = geometry.tags[name]
    if tag.facets is not None:
        return _surface(mesh, name, np.asarray(tag.facets), -1.0 if inward else 1.0)
    cells = geometry.cells_of(name)
    if cells is not None and len(cells):
        return Region(name, "volume", np.asarray(cells))
    return Region(name, "nodes", np.zeros(0, dtype=np.int64), nodes=np.asarray(tag.nodes))


def _surface(mesh: Mesh, name: str, numbers: Int[np.ndarray, " E"], sign: float) -> Region:
    facets, off = mesh.facets[numbers], mesh.opposite[numbers]
    owners, is_facet = find_simplices(mesh.cells, np.column_stack([facets, off]), len(mesh.points))
    if not np.all(is_facet):
        raise ValueError(f"jno.fem: {np.sum(~is_facet)} facets of {name!r} belong to no cell of the mesh")
    ordered = np.sort(mesh.cells[owners], axis=1)
    opposite = np.argmax(ordered == off[:, None], axis=1)
    measures, normals = facet_frames(mesh.points, facets, off)
    return Region(name, "surface", owners, opposite, measures, sign * normals)
