"""What `tag(name, where)` selects on a mesh or a point cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from ..mesh import Mesh, Predicate, Tag, along_curve, evaluate_predicate, facet_frames, first_appearance, nodal_normals
from ._predicates import NoSuchRegion, Where, checked_where, facet_mask


def slack_of_points(points: Float[np.ndarray, "N D"]) -> float:
    """Distance within which a node lies on a line."""
    return max(1e-12, 1e-10 * float(np.linalg.norm(np.ptp(points, axis=0)))) if len(points) else 1e-12


def where_on(name: str, where: object, points: Float[np.ndarray, "N D"]) -> Where:
    """The checked `where` of a tag, in a form for the points of a mesh or cloud."""
    checked = checked_where(name, where, slack_of_points(points))
    if checked.is_shape and points.shape[1] != 2:
        raise NoSuchRegion(
            f"where= of tag {name!r} is a shapely geometry, which is plane; this domain has {points.shape[1]} space "
            "dimension(s). Give a predicate on the coordinates."
        )
    return checked


def select(name: str, where: object, mesh: Mesh, tags: Mapping[str, Tag]) -> Tag:
    """The tag of a predicate on points, a shapely geometry, or a predicate on facets."""
    checked = where_on(name, where, mesh.points)
    selected = (
        select_on_mesh(name, checked.at_points, mesh)
        if checked.on_facets is None
        else _select_facets(name, checked, mesh, tags)
    )
    return replace(selected, where=where)


def _select_facets(name: str, where: Where, mesh: Mesh, tags: Mapping[str, Tag]) -> Tag:
    """The boundary facets for which a facet predicate holds under any of their names."""
    boundary = mesh.facet_sets["boundary"]
    on_boundary = np.zeros(len(mesh.facets), dtype=bool)
    on_boundary[boundary] = True
    selected = np.zeros(len(mesh.facets), dtype=bool)
    named = {key: tag.facets for key, tag in tags.items() if tag.facets is not None and tag.where is None}
    unnamed = np.setdiff1d(boundary, np.concatenate([np.zeros(0, dtype=np.int64), *named.values()]))
    for tag_name, facet_ids in [*named.items(), ("boundary", unnamed)]:
        facets = facet_ids[on_boundary[facet_ids]]
        if len(facets):
            vertices = mesh.facets[facets]
            normals = facet_frames(mesh.points, vertices, mesh.opposite[facets])[1]
            selected[facets] |= facet_mask(name, where, mesh.points[vertices].mean(axis=1), normals, tag_name)
    facets = _along_the_curves(mesh, boundary[selected[boundary]])
    if not len(facets):
        raise NoSuchRegion(f"where= of tag {name!r} selects none of the {len(boundary)} facets of the boundary.")
    nodes = first_appearance(mesh.facets[facets].reshape(-1))
    normals = nodal_normals(mesh.points, mesh.facets[facets], mesh.opposite[facets])
    return Tag(name, nodes, facets=facets, normals=normals[nodes])


def _along_the_curves(mesh: Mesh, facets: Int[np.ndarray, " e"]) -> Int[np.ndarray, " e"]:
    """Edges of the boundary head to tail, also where they lie on both sides of its first edge."""
    return facets[along_curve(mesh.facets[facets])] if mesh.dimension == 2 else facets


def select_on_mesh(name: str, where: Predicate, mesh: Mesh) -> Tag:
    """All nodes that satisfy the predicate, the cells whose nodes and centroid do, or the facets whose nodes do.

    A selection that lies entirely on the boundary is a piece of boundary: it owns facets and has normals.
    """
    mask = evaluate_predicate(name, where, mesh.points)
    nodes = np.flatnonzero(mask)
    boundary = mesh.facet_sets["boundary"]
    on_boundary = np.zeros(len(mask), dtype=bool)
    on_boundary[mesh.facets[boundary]] = True
    facets = boundary[np.all(mask[mesh.facets[boundary]], axis=1)]
    if np.all(on_boundary[nodes]) and not np.all(mask):
        facets = _along_the_curves(mesh, facets)
        ordered = first_appearance(mesh.facets[facets].reshape(-1))
        nodes = np.concatenate([ordered, np.setdiff1d(nodes, ordered)])
        normals = _boundary_selection_normals(mesh, nodes, facets)
        return Tag(name, nodes, facets=facets if len(facets) else None, normals=normals)
    cells = np.flatnonzero(np.all(mask[mesh.cells], axis=1))
    if len(cells):
        # in a re-entrant corner of the region a cell may lie outside although its corners are selected
        cells = cells[evaluate_predicate(name, where, mesh.points[mesh.cells[cells]].mean(axis=1))]
    if len(cells):
        return Tag(name, nodes, cells=cells)
    return Tag(name, nodes, facets=facets if len(facets) else None)


def _boundary_selection_normals(
    mesh: Mesh, nodes: Int[np.ndarray, " n"], facets: Int[np.ndarray, " e"]
) -> Float[np.ndarray, "n D"]:
    """Normals from the selected facets; nodes without one use all boundary facets around them."""
    boundary = mesh.facet_sets["boundary"]
    of_selected = nodal_normals(mesh.points, mesh.facets[facets], mesh.opposite[facets])[nodes]
    around = nodal_normals(mesh.points, mesh.facets[boundary], mesh.opposite[boundary])[nodes]
    return np.where(np.any(of_selected != 0.0, axis=1, keepdims=True), of_selected, around)


def select_points(name: str, where: object, points: Float[np.ndarray, "N D"]) -> Tag:
    """All distinct points of a cloud that satisfy a predicate or lie in a shapely geometry."""
    checked = where_on(name, where, points)
    if checked.on_facets is not None:
        raise NoSuchRegion(f"where= of tag {name!r} is a facet predicate, but a point cloud has no facets.")
    _, distinct = np.unique(points, axis=0, return_index=True)
    distinct = np.sort(distinct)
    return Tag(name, distinct[evaluate_predicate(name, checked.at_points, points)[distinct]], where=where)
