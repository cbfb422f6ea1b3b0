"""From the scene of a polygon domain to a geometry with a mesh and the tags on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from .. import _shapely as shapely
from ..geometry import Geometry, select_on_mesh
from ..mesh import Mesh, Tag, along_curve, check_nodes, measures, mesh_tags, orient, plane_nodes, right_unit_normals
from ._arrangement import Arrangement, arrangement, interface_edges
from ._geometry import on_segments, ring_segments
from ._gmsh import Box, Corners, SizeField, Triangulation, check_sizes, checked_size, triangulate
from ._scene import PolygonScene
from ._shapes import Curve


def mesh_scene(
    scene: PolygonScene, mesh_size: object, algorithm: int, sizes: Mapping[str, Any], interpolate: bool
) -> Geometry:
    """The geometry of a scene with a conforming mesh."""
    size = checked_size("mesh_size", mesh_size)
    region_sizes = check_sizes(sizes, scene.regions)
    if "interior" not in scene.table:
        raise ValueError("build_mesh: empty active geometry; nothing is left of the domain.")
    _check_count(scene, size, region_sizes)
    plan = arrangement(scene)
    fields: list[SizeField]
    if interpolate:
        covered = _covered(scene, plan) & set(region_sizes) if region_sizes else set()
        node_sizes = _node_sizes(scene, plan, size, {k: value for k, value in region_sizes.items() if k not in covered})
        fields = [Corners(_corners(scene, plan, name), region_sizes[name]) for name in sorted(covered)]
    else:
        node_sizes = _node_sizes(scene, plan, size, region_sizes)
        fields = [Box(scene.regions[name].bounds, value) for name, value in region_sizes.items()]
    triangles = triangulate(plan, node_sizes, fields, size, algorithm)
    meshed = scene.with_interfaces(_interface_curves(scene, plan))
    mesh = _mesh(meshed, plan, triangles)
    _check_area(scene, mesh)
    tags = _selected(meshed, mesh, mesh_tags(mesh))
    for alias, target in meshed.aliases.items():
        if target in tags:
            tags[alias] = replace(tags[target], name=alias)
    ordered = {name: tags[name] for name in (*meshed.names, *meshed.pins) if name in tags}
    return replace(Geometry.from_mesh(mesh, ordered, ds=size), lazy=meshed)


def _check_count(scene: PolygonScene, size: float, region_sizes: Mapping[str, float]) -> None:
    """Refuse a mesh of too many nodes."""
    estimate = plane_nodes(scene.active.area, scene.active.length, size)
    check_nodes(estimate, f"build_mesh: mesh_size={size!r} on an area of {scene.active.area:g}")
    for name, value in region_sizes.items():
        region = scene.regions[name]
        check_nodes(plane_nodes(region.area, region.length, value), f"build_mesh: sizes[{name!r}]={value!r}")


def _node_sizes(
    scene: PolygonScene, plan: Arrangement, size: float, region_sizes: Mapping[str, float]
) -> Float[np.ndarray, " N"]:
    """The size at every node: the smallest of the regions on whose boundary it lies, otherwise the common one."""
    sizes = np.full(len(plan.nodes), np.inf)
    for name, value in region_sizes.items():
        near = on_segments(plan.nodes, ring_segments(scene.regions[name]), scene.slack)
        sizes[near] = np.minimum(sizes[near], value)
    return np.where(np.isinf(sizes), size, sizes)


def _covered(scene: PolygonScene, plan: Arrangement) -> set[str]:
    """Regions all of whose area belongs to regions before them."""
    owner = np.argmax(plan.members, axis=1)
    return {name for column, name in enumerate(scene.regions) if not np.any(plan.members[owner == column, column])}


def _corners(scene: PolygonScene, plan: Arrangement, name: str) -> Int[np.ndarray, " C"]:
    """The nodes at the corners of a region."""
    corners = shapely.multipoints(scene.edges[name][:, 0])
    return np.flatnonzero(shapely.dwithin(corners, shapely.points(plan.nodes), scene.slack))


def _interface_curves(scene: PolygonScene, plan: Arrangement) -> dict[str, Curve]:
    """`interface_A_B` and `interface_B_A`, both with normals out of A."""
    curves: dict[str, Curve] = {}
    for (left, right), edges in interface_edges(plan, tuple(scene.regions)).items():
        segments = _directed(plan.segments, edges)
        curve = Curve(segments, right_unit_normals(segments))
        curves |= {f"interface_{left}_{right}": curve, f"interface_{right}_{left}": curve}
    return curves


def _directed(segments: Float[np.ndarray, "E 2 2"], edges: Int[np.ndarray, " K"]) -> Float[np.ndarray, "K 2 2"]:
    directed = segments[np.abs(edges) - 1]
    return np.where((edges < 0)[:, None, None], directed[:, ::-1], directed)


def _facets_of(edges: Int[np.ndarray, " K"], triangles: Triangulation) -> tuple[np.ndarray, np.ndarray]:
    """Directed facets on signed edges in order along the curve, and the edge that each lies on."""
    pieces = [triangles.pieces[edge - 1] if edge > 0 else triangles.pieces[-edge - 1][:, ::-1] for edge in edges]
    facets = np.concatenate(pieces) if pieces else np.zeros((0, 2), dtype=np.int64)
    owner = np.repeat(np.abs(edges) - 1, [len(piece) for piece in pieces])
    order = along_curve(facets)
    return facets[order], owner[order]


def _opposites(cells: Int[np.ndarray, "M 3"], facets: Int[np.ndarray, "E 2"], n_points: int) -> Int[np.ndarray, " E"]:
    """The third node of the triangle to the left of every directed facet."""
    keys = np.concatenate([cells[:, i] * n_points + cells[:, (i + 1) % 3] for i in range(3)])
    third = np.concatenate([cells[:, (i + 2) % 3] for i in range(3)])
    order = np.argsort(keys)
    return third[order[np.searchsorted(keys[order], facets[:, 0] * n_points + facets[:, 1])]]


def _mesh(scene: PolygonScene, plan: Arrangement, triangles: Triangulation) -> Mesh:
    """The mesh with all cell sets, and with facets on the boundary first and on curves inside after them."""
    cells = orient(triangles.points, triangles.cells)
    left, right = (plan.sides.T >= 0) | (plan.loose >= 0)
    outer = np.where(left, 1, -1) * (np.arange(len(left)) + 1)
    facets, owner = _facets_of(outer[left != right], triangles)
    sets: dict[str, np.ndarray] = {"boundary": np.arange(len(facets))}
    groups, count = [facets], len(facets)
    for name, curve in _curves(scene).items():
        on_curve = _edges_on(curve, plan.segments, scene.slack)
        facet_ids = np.flatnonzero(on_curve[owner])
        inner = np.flatnonzero(on_curve & left & right)
        if len(inner) and (name in scene.curves or name in scene.interfaces):
            extra, _ = _facets_of(_along_normals(inner, plan, curve), triangles)
            groups.append(extra)
            facet_ids = np.concatenate([facet_ids, np.arange(count, count + len(extra))])
            count += len(extra)
        if len(facet_ids):
            sets[name] = facet_ids
    joined = np.concatenate(groups)
    opposite = _opposites(cells, joined, len(triangles.points))
    return Mesh(triangles.points, cells, joined, opposite, _cell_sets(scene, plan, triangles), sets)


def _edges_on(curve: Curve, edges: Float[np.ndarray, "E 2 2"], slack: float) -> Bool[np.ndarray, " E"]:
    """Edges that lie on a curve; two points decide, because a curve may touch an edge in one."""
    start, stop = edges[:, 0], edges[:, 1]
    return np.all([on_segments(start + t * (stop - start), curve.segments, slack) for t in (0.4, 0.6)], axis=0)


def _curves(scene: PolygonScene) -> dict[str, Curve]:
    """Boundary tags whose facets are those on their segments."""
    derived = (*scene.selections, *scene.aliases, "boundary")
    return {n: r for n, r in scene.table.items() if isinstance(r, Curve) and n not in derived}


def _along_normals(inner: np.ndarray, plan: Arrangement, curve: Curve) -> Int[np.ndarray, " K"]:
    """Edges inside the domain, directed so that the normals of the curve lie to their right."""
    segments = plan.segments[inner]
    forward = np.sum(right_unit_normals(segments) * curve.normals_at(segments.mean(axis=1)), axis=1) > 0.0
    return np.where(forward, inner + 1, -inner - 1)


def _cell_sets(scene: PolygonScene, plan: Arrangement, triangles: Triangulation) -> dict[str, np.ndarray]:
    sets: dict[str, np.ndarray] = {"interior": np.arange(len(triangles.cells))}
    for column, region in enumerate(scene.regions):
        inside = np.flatnonzero(plan.members[triangles.faces, column])
        names = [f"interior_{region}", *(name for name, source in scene.areas.items() if source == region)]
        sets |= {name: inside for name in names if len(inside)}
    return sets


def _selected(scene: PolygonScene, mesh: Mesh, tags: dict[str, Tag]) -> dict[str, Tag]:
    """The tags with the regions that were defined by predicates."""
    for name in (*scene.selections, *scene.pins):
        nodes = scene.on_nodes(name)
        tag = None if nodes is None else select_on_mesh(name, nodes, mesh)
        if tag is not None and len(tag.nodes):
            tags[name] = replace(tag, where=scene.predicates[name])
    return tags


def _check_area(scene: PolygonScene, mesh: Mesh) -> None:
    meshed, expected = float(measures(mesh.points, mesh.cells).sum()), float(scene.active.area)
    if abs(meshed - expected) > 1e-6 * expected:
        raise ValueError(
            f"build_mesh: the mesh covers an area of {meshed:.9g}, the domain {expected:.9g}; simplify the geometry "
            "(coincident lines, very thin gaps) or choose another mesh size or algorithm."
        )
