"""The geometry of a raw mesh: dimension, cells, orphan nodes, facets with their outward side, and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from jno.utils import get_logger

from ..mesh import (
    KINDS,
    Block,
    Mesh,
    MeshFileError,
    RawMesh,
    along_curve,
    signed_measures,
    simplex_keys,
    simplices,
    simplices_name,
    simplicial,
    warn_about_inner_boundaries,
)
from ._geometry import Geometry
from ._set_tags import EXTRA_NODES, set_tags

# Coordinates whose cubes are numbers in double precision.
_LARGEST = 1e75


def build_geometry(
    raw: RawMesh,
    origin: str,
    *,
    keep_orphan_nodes: bool = False,
    ds: float | None = None,
    dimension: int | None = None,
    notice: bool = True,
) -> Geometry:
    """The geometry of a raw mesh; `origin` names it in messages.

    Named sets become tags: sets of cells are volumes, sets of facets are boundaries (or interfaces), others are
    sets of nodes. `interior` (all cells) and `boundary` (all facets of one cell) are added where they are missing.
    """
    raw = _without_empty_sets(raw, origin)
    _check_elements(raw, origin)
    raw = simplicial(raw, origin)
    cell_dimension = max(KINDS[kind].dimension for kind, nodes in raw.blocks if len(nodes))
    points = raw.points
    cells = _distinct(simplices(raw.blocks, cell_dimension), len(points))
    used = np.zeros(len(points), dtype=bool)
    used[cells] = True
    sets = dict(raw.sets)
    if not keep_orphan_nodes and not np.all(used):
        points, cells, sets = _without(used, points, cells, sets)
        _say_missing(raw.sets, sets, "no cell has the nodes of", origin)
    points = _flat_points(points, cell_dimension, origin, dimension)  # reference points may lie out of the plane
    _check_cells(points, cells, origin)
    mesh = Mesh.from_cells(points, cells)
    warn_about_inner_boundaries(mesh, origin)
    mesh = _along_the_curves(mesh)
    mesh, tags = set_tags(mesh, sets, origin)
    if notice and not raw.sets:
        get_logger().info(f"{origin} names no regions; its tags are 'interior' and 'boundary'.")
    return Geometry.from_mesh(mesh, tags, ds=mean_edge(mesh) if ds is None else ds)


def _without_empty_sets(raw: RawMesh, origin: str) -> RawMesh:
    filled = {name: blocks for name, blocks in raw.sets.items() if any(len(nodes) for _, nodes in blocks)}
    _say_missing(raw.sets, filled, "nothing belongs to", origin)
    return replace(raw, sets=filled)


def _say_missing(before: Iterable[str], after: Iterable[str], why: str, origin: str) -> None:
    """Name the sets that have no tag, neither of elements nor of nodes."""
    present = {name.removeprefix(EXTRA_NODES) for name in after}
    names = dict.fromkeys(name.removeprefix(EXTRA_NODES) for name in before)
    missing = ", ".join(repr(name) for name in names if name not in present)
    if missing:
        get_logger().warning(f"{origin}: {why} the set(s) {missing}, which become no tags.")


def _check_elements(raw: RawMesh, origin: str) -> None:
    unknown = sorted({kind for kind, nodes in raw.blocks if kind not in KINDS and len(nodes)})
    if unknown:
        raise MeshFileError(
            f"{origin} has elements of kind {unknown}; a domain can be made of lines, triangles, quadrilaterals, "
            "tetrahedra, pyramids, wedges and hexahedra. Divide the others into these first."
        )
    if not any(len(nodes) for kind, nodes in raw.blocks if kind in KINDS and KINDS[kind].dimension):
        raise MeshFileError(f"{origin} has no cells: no lines, triangles or tetrahedra.")
    for kind, nodes in raw.blocks:
        if len(nodes) and (nodes.min() < 0 or nodes.max() >= len(raw.points)):
            raise MeshFileError(
                f"{origin} is corrupt: an element of kind {kind!r} refers to a node that does not exist "
                f"(there are {len(raw.points)} nodes)."
            )
    if not np.all(np.isfinite(raw.points)):
        raise MeshFileError(f"{origin} is corrupt: {np.sum(~np.isfinite(raw.points))} coordinates are not finite.")
    if np.abs(raw.points).max() > _LARGEST:
        raise MeshFileError(f"{origin} is corrupt: a coordinate is {np.abs(raw.points).max():.3g}.")


def _flat_points(
    points: Float[np.ndarray, "N C"], cell_dimension: int, origin: str, dimension: int | None
) -> Float[np.ndarray, "N D"]:
    """The points with as many columns as the cells have dimensions."""
    columns = points.shape[1]
    if dimension is not None and columns < dimension:
        raise MeshFileError(f"{origin}: a {dimension}-D domain was asked for, but the points have {columns} columns.")
    if dimension is not None and cell_dimension != dimension:
        raise MeshFileError(
            f"{origin}: a {dimension}-D domain was asked for, but the cells are {simplices_name(cell_dimension)}."
        )
    if columns < cell_dimension:
        raise MeshFileError(
            f"{origin} has {simplices_name(cell_dimension)}, but its points have {columns} columns only."
        )
    extra = np.abs(points[:, cell_dimension:])
    size = max(float(np.ptp(points, axis=0).max()), 1e-300)
    if extra.size and extra.max() > 1e-10 * size:
        # a plane parallel to the x-y plane is flat as well
        if np.ptp(points[:, cell_dimension:], axis=0).max() <= 1e-10 * size:
            return np.ascontiguousarray(points[:, :cell_dimension], dtype=np.float64)
        filled = "a surface" if cell_dimension == 2 else "a curve"
        raise MeshFileError(
            f"{origin} is the mesh of {filled} in {columns}-D space; a domain needs a volume mesh (tetrahedra), or "
            "a flat one in the plane z = 0. Fill the surface first, e.g. with gmsh (Create volume, then 3D mesh)."
        )
    return np.ascontiguousarray(points[:, :cell_dimension], dtype=np.float64)


def _distinct(cells: Int[np.ndarray, "M V"], n_points: int) -> Int[np.ndarray, "K V"]:
    """The cells without repetitions, in their first order."""
    keys = simplex_keys(cells, n_points)
    ordered = np.sort(keys)
    if not np.any(ordered[1:] == ordered[:-1]):
        return cells
    return cells[np.sort(np.unique(keys, return_index=True)[1])]


def _without(
    used: Bool[np.ndarray, " N"],
    points: Float[np.ndarray, "N D"],
    cells: Int[np.ndarray, "M V"],
    sets: Mapping[str, tuple[Block, ...]],
) -> tuple[Float[np.ndarray, "K D"], Int[np.ndarray, "M V"], dict[str, tuple[Block, ...]]]:
    """Points, cells and sets renumbered after the removal of the nodes that no cell uses."""
    number = np.cumsum(used) - 1
    used_sets: dict[str, tuple[Block, ...]] = {}
    for name, blocks in sets.items():
        inside = [(kind, nodes[np.all(used[nodes], axis=1)]) for kind, nodes in blocks]
        if any(len(nodes) for _, nodes in inside):
            used_sets[name] = tuple((kind, number[nodes]) for kind, nodes in inside)
    return points[used], number[cells], used_sets


def _check_cells(points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"], origin: str) -> None:
    sizes = np.abs(signed_measures(points, cells))
    flat = int(np.sum(sizes <= 1e-14 * sizes.max()))
    if flat:
        raise MeshFileError(
            f"{origin} has {flat} degenerate {simplices_name(points.shape[1])} of zero size; repair it."
        )


def _along_the_curves(mesh: Mesh) -> Mesh:
    """Boundary edges listed head to tail."""
    if mesh.dimension != 2:
        return mesh
    order = along_curve(mesh.facets)
    return replace(mesh, facets=mesh.facets[order], opposite=mesh.opposite[order])


def mean_edge(mesh: Mesh) -> float:
    """Mean length of the edges, counted once per cell."""
    pairs = combinations(range(mesh.cells.shape[1]), 2)
    lengths = [np.linalg.norm(mesh.points[mesh.cells[:, i]] - mesh.points[mesh.cells[:, j]], axis=1) for i, j in pairs]
    return float(np.mean(lengths))
