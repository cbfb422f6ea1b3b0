"""Tags of the named sets of a raw mesh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from jno.utils import get_logger

from ..mesh import (
    KINDS,
    Block,
    Mesh,
    MeshFileError,
    Tag,
    along_curve,
    check_tag_name,
    facet_tag,
    find_simplices,
    oriented_facets,
    simplices,
    used_nodes,
)

# A set of nodes that belongs to a region of the same name, for nodes that none of its elements has.
EXTRA_NODES = "nodes:"


def set_tags(mesh: Mesh, sets: Mapping[str, tuple[Block, ...]], origin: str) -> tuple[Mesh, dict[str, Tag]]:
    """The mesh with the facets that the sets need, and its tags: `interior`, `boundary`, then those of the sets."""
    dimension = mesh.dimension
    cell_ids: dict[str, np.ndarray] = {}
    facet_ids: dict[str, np.ndarray] = {}
    node_ids: dict[str, np.ndarray] = {}
    for name, blocks in sets.items():
        if name.startswith(EXTRA_NODES):
            node_ids[name] = _nodes_of(blocks)
            continue
        cells, facets = simplices(blocks, dimension), simplices(blocks, dimension - 1)
        if len(cells):
            cell_ids[name] = _cells_of(mesh, cells, name, origin)
        if len(facets):
            target = f"{name}_boundary" if len(cells) else name
            if target != name:
                get_logger().info(f"{origin}: the set {name!r} has cells and facets; its facets are {target!r}.")
            mesh, facet_ids[target] = _facets_of(mesh, facets, name, origin)
        lower = _nodes_of(block for block in blocks if KINDS[block[0]].dimension < dimension - 1)
        if len(lower):
            node_ids[name] = lower
    return mesh, _tags(mesh, cell_ids, facet_ids, node_ids, origin)


def _nodes_of(blocks: Iterable[Block]) -> Int[np.ndarray, " n"]:
    nodes = [nodes.reshape(-1) for _, nodes in blocks]
    return np.unique(np.concatenate(nodes)).astype(np.int64) if nodes else np.zeros(0, dtype=np.int64)


def _cells_of(mesh: Mesh, cells: Int[np.ndarray, "K V"], name: str, origin: str) -> Int[np.ndarray, " J"]:
    slot, present = find_simplices(mesh.cells, cells, len(mesh.points))
    if not np.all(present):
        raise MeshFileError(f"{origin}: the set {name!r} lists cells that are not in the mesh.")
    return np.unique(slot)


def _parity(rows: Int[np.ndarray, "E D"]) -> Int[np.ndarray, " E"]:
    """Whether the order of the nodes is an odd permutation."""
    odd = np.zeros(len(rows), dtype=np.int64)
    for i in range(rows.shape[1]):
        for j in range(i + 1, rows.shape[1]):
            odd ^= rows[:, i] > rows[:, j]
    return odd


def _facets_of(
    mesh: Mesh, facets: Int[np.ndarray, "E D"], name: str, origin: str
) -> tuple[Mesh, Int[np.ndarray, " K"]]:
    """Ids of facets, which are appended to the mesh where they lie inside; then the file's orientation counts."""
    # those inside may be listed from both sides, so only facets of the boundary are known already
    boundary = mesh.facets[: len(mesh.facet_sets["boundary"])]
    slot, present = find_simplices(boundary, facets, len(mesh.points))
    if not np.all(present):
        mesh, added = _with_inner_facets(mesh, facets[~present], name, origin)
        slot[~present] = added
    ids = np.unique(slot)
    return mesh, ids[along_curve(mesh.facets[ids])] if mesh.dimension == 2 else ids


def _with_inner_facets(
    mesh: Mesh, facets: Int[np.ndarray, "E D"], name: str, origin: str
) -> tuple[Mesh, Int[np.ndarray, " E"]]:
    """The mesh with further facets. Their owner is the cell on whose outside the listed orientation looks."""
    every, opposite = oriented_facets(mesh.cells)
    slot, present = find_simplices(every, facets, len(mesh.points), (_parity(every), _parity(facets)))
    if not np.all(present):
        raise MeshFileError(f"{origin}: the set {name!r} lists facets that belong to no cell of the mesh.")
    slot, place = np.unique(slot, return_inverse=True)
    added = len(mesh.facets) + place.reshape(-1)
    extended = replace(
        mesh,
        facets=np.concatenate([mesh.facets, every[slot]]),
        opposite=np.concatenate([mesh.opposite, opposite[slot]]),
    )
    return extended, added


def _tags(
    mesh: Mesh,
    cell_ids: Mapping[str, np.ndarray],
    facet_ids: Mapping[str, np.ndarray],
    node_ids: Mapping[str, np.ndarray],
    origin: str,
) -> dict[str, Tag]:
    _check_reserved(cell_ids, facet_ids, node_ids, origin)
    boundary = facet_tag(mesh, "boundary")
    tags = {"interior": _volume("interior", mesh, np.arange(len(mesh.cells)), None), "boundary": boundary}
    around = np.zeros_like(mesh.points)
    around[boundary.nodes] = _present(boundary.normals)
    regions = list(dict.fromkeys([*cell_ids, *facet_ids, *(name.removeprefix(EXTRA_NODES) for name in node_ids)]))
    for name in regions:
        _check_name(name, origin)
        extra = node_ids.get(EXTRA_NODES + name, node_ids.get(name))
        if name in cell_ids:
            tags[name] = _volume(name, mesh, cell_ids[name], extra)
        elif name in facet_ids:
            tags[name] = _boundary(name, mesh, facet_ids[name], extra, around)
        else:
            assert extra is not None
            on_boundary = np.any(around[extra] != 0.0, axis=1)
            tags[name] = Tag(name, extra, normals=around[extra] if np.all(on_boundary) else None)
    return tags


def _check_name(name: str, origin: str) -> None:
    try:
        check_tag_name(name)
    except ValueError as error:
        raise MeshFileError(f"{origin}: a set cannot be a tag. {error} Rename the set.") from error


def _check_reserved(
    cell_ids: Mapping[str, np.ndarray],
    facet_ids: Mapping[str, np.ndarray],
    node_ids: Mapping[str, np.ndarray],
    origin: str,
) -> None:
    if "interior" in facet_ids or "boundary" in cell_ids or {"interior", "boundary"} & set(node_ids):
        raise MeshFileError(
            f"{origin}: the set 'interior' must consist of cells and the set 'boundary' of facets; rename the set."
        )


def _present(normals: np.ndarray | None) -> np.ndarray:
    assert normals is not None  # every boundary tag has them
    return normals


def _volume(name: str, mesh: Mesh, cells: Int[np.ndarray, " m"], extra: Int[np.ndarray, " k"] | None) -> Tag:
    nodes = used_nodes(mesh.cells[cells], len(mesh.points))
    return Tag(name, nodes if extra is None else np.union1d(nodes, extra), cells=cells)


def _boundary(
    name: str,
    mesh: Mesh,
    facets: Int[np.ndarray, " e"],
    extra: Int[np.ndarray, " k"] | None,
    around: Float[np.ndarray, "N D"],
) -> Tag:
    tag = facet_tag(replace(mesh, facet_sets={name: facets}), name)
    if extra is None:
        return tag
    further = extra[~_member(extra, tag.nodes, len(mesh.points))]
    nodes = np.concatenate([tag.nodes, further])
    return Tag(name, nodes, facets=facets, normals=np.concatenate([_present(tag.normals), around[further]]))


def _member(values: Int[np.ndarray, " k"], nodes: Int[np.ndarray, " n"], n_points: int) -> Bool[np.ndarray, " k"]:
    inside = np.zeros(n_points, dtype=bool)
    inside[nodes] = True
    return inside[values]
