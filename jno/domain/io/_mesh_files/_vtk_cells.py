"""Cells of VTK's formats, old and XML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ...geometry import EXTRA_NODES
from ...mesh import KINDS, Block, MeshFileError, RawMesh, vtk_kind

# Name of the cell (and point) data that marks a tag in formats without named sets.
TAG_PREFIX = "tag:"

_ORDERS = {8: (0, 1, 3, 2), 11: (0, 1, 3, 2, 4, 5, 7, 6)}  # pixels and voxels, row by row
_REFUSED = {7: "polygon", 15: "pentagonal prism", 16: "hexagonal prism", 36: "quadratic polygon", 42: "polyhedron"}
_LINEAR = (1, 3, 5, 8, 9, 10, 11, 12, 13, 14)
_EMPTY, _POINTS, _CHAIN, _STRIP, _POLYGON = 0, 2, 4, 6, 7


@dataclass
class VtkMesh:
    """What a VTK file holds, of one piece or of the whole.

    Attributes:
        points: `(N, 3)`.
        nodes: of all cells, one after the other.
        ends: where the nodes of each cell end.
        types: VTK's number of the kind of each cell.
        cell_data: arrays with a row per cell.
        point_data: arrays with a row per point.
    """

    points: np.ndarray
    nodes: np.ndarray
    ends: np.ndarray
    types: np.ndarray
    cell_data: dict[str, np.ndarray] = field(default_factory=dict)
    point_data: dict[str, np.ndarray] = field(default_factory=dict)


def raw_mesh(mesh: VtkMesh, origin: str) -> RawMesh:
    """Blocks of the cells, and sets of the cells and points whose data `tag:<name>` is not zero."""
    _check(mesh, origin)
    marks = {name: values for name, values in mesh.cell_data.items() if name.startswith(TAG_PREFIX)}
    blocks: list[Block] = []
    sets: dict[str, list[Block]] = {name.removeprefix(TAG_PREFIX): [] for name in marks}
    for kind, nodes, cells in _blocks(mesh, origin):
        blocks.append((kind, nodes))
        for name, values in marks.items():
            sets[name.removeprefix(TAG_PREFIX)].append((kind, nodes[values[cells].reshape(len(cells), -1)[:, 0] != 0]))
    for name, values in mesh.point_data.items():
        if name.startswith(TAG_PREFIX):
            rows = np.flatnonzero(values.reshape(len(mesh.points), -1)[:, 0]).reshape(-1, 1)
            sets[EXTRA_NODES + name.removeprefix(TAG_PREFIX)] = [("vertex", rows)]
    return RawMesh(mesh.points, tuple(blocks), {name: tuple(parts) for name, parts in sets.items()})


def _check(mesh: VtkMesh, origin: str) -> None:
    lengths = np.diff(mesh.ends, prepend=0)
    if len(mesh.ends) != len(mesh.types) or np.any(lengths < 0) or (mesh.ends[-1:] != len(mesh.nodes)).any():
        raise MeshFileError(
            f"{origin} is corrupt: it has {len(mesh.types)} types of cells, {len(mesh.ends)} offsets, and "
            f"{len(mesh.nodes)} nodes of cells, of which the offsets count {mesh.ends[-1:].tolist()}."
        )
    for rows, data in ((len(mesh.types), mesh.cell_data), (len(mesh.points), mesh.point_data)):
        wrong = {
            name: values.shape for name, values in data.items() if len(values) != rows or (rows and not values.size)
        }
        if wrong:
            raise MeshFileError(f"{origin} is corrupt: data of {rows} rows have other shapes: {wrong}.")


def _blocks(mesh: VtkMesh, origin: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Cells of one type and one number of nodes, with their ids."""
    lengths = np.diff(mesh.ends, prepend=0)
    ghosts = mesh.cell_data.get("vtkGhostType")
    real = np.ones(len(lengths), dtype=bool) if ghosts is None else (ghosts.reshape(-1) & 1) == 0
    for number, width in np.unique(np.stack([mesh.types, lengths], axis=1)[real], axis=0).tolist():
        cells = np.flatnonzero((mesh.types == number) & (lengths == width) & real)
        nodes = mesh.nodes[(mesh.ends[cells] - width)[:, None] + np.arange(width)]
        if number == _EMPTY:
            continue
        for kind, part in _elements(number, nodes, origin):
            yield kind, part, np.repeat(cells, len(part) // max(len(cells), 1))


def _elements(number: int, nodes: np.ndarray, origin: str) -> Iterator[Block]:
    """The elements of cells of one type; each cell's are listed together."""
    width = nodes.shape[1]
    chains = {_POINTS: ("vertex", 1), _CHAIN: ("line", 2), _STRIP: ("triangle", 3)}
    if number == _POLYGON and width in (3, 4):
        kind = "triangle" if width == 3 else "quad"
    elif number in chains:
        kind, size = chains[number]
        if width >= size:
            yield kind, nodes[:, np.arange(width - size + 1)[:, None] + np.arange(size)].reshape(-1, size)
        return
    elif (linear := vtk_kind(number)) is not None:
        kind = linear
    else:
        name = f"{_REFUSED.get(number, 'unknown')} (VTK's type {number}, {width} nodes)"
        raise MeshFileError(
            f"{origin} has {len(nodes)} cells of the kind {name}; a domain can be made of lines, triangles, "
            "quadrilaterals, tetrahedra, pyramids, wedges and hexahedra. Divide the others into these first, in "
            "PyVista with mesh.triangulate()."
        )
    if width < KINDS[kind].corners or (number in _LINEAR and width > KINDS[kind].corners):
        raise MeshFileError(f"{origin} is corrupt: a cell of kind {kind!r} has {width} nodes.")
    yield kind, nodes[:, list(_ORDERS[number])] if number in _ORDERS else nodes


def joined(pieces: list[VtkMesh]) -> VtkMesh:
    """The pieces one after the other; data that a piece lacks are left out."""
    if len(pieces) == 1:
        return pieces[0]
    first_node = np.cumsum([0, *(len(piece.points) for piece in pieces)])
    first_end = np.cumsum([0, *(len(piece.nodes) for piece in pieces)])
    return VtkMesh(
        np.concatenate([piece.points for piece in pieces]),
        np.concatenate([piece.nodes + offset for piece, offset in zip(pieces, first_node, strict=False)]),
        np.concatenate([piece.ends + offset for piece, offset in zip(pieces, first_end, strict=False)]),
        np.concatenate([piece.types for piece in pieces]),
        _joined_data([piece.cell_data for piece in pieces]),
        _joined_data([piece.point_data for piece in pieces]),
    )


def _joined_data(parts: list[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}
