"""Meshes with their tags as files: gmsh 4.1 text, VTK and VTU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import Float, Int

from ..geometry import EXTRA_NODES, Geometry
from ..mesh import KINDS, SIMPLICES, Mesh, Tag
from ._mesh_files import TAG_PREFIX, import_meshio


def padded(array: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N 3"]:
    """Points or vectors with three components."""
    return np.pad(np.asarray(array, dtype=np.float64), ((0, 0), (0, 3 - array.shape[1])))


def extra_nodes(mesh: Mesh, tag: Tag) -> Int[np.ndarray, " k"]:
    """Nodes of a tag that belong to none of its cells or facets."""
    covered = np.zeros(len(mesh.points), dtype=bool)
    for elements, ids in ((mesh.cells, tag.cells), (mesh.facets, tag.facets)):
        if ids is not None:
            covered[elements[ids]] = True
    return tag.nodes[~covered[tag.nodes]]


# -- VTK ----
def _marks(count: int, ids: np.ndarray | None) -> Int[np.ndarray, " M"]:
    marks = np.zeros(count, dtype=np.int32)
    if ids is not None:
        marks[ids] = 1
    return marks


def meshio_mesh(
    geometry: Geometry, mesh: Mesh, point_data: Mapping[str, np.ndarray], cell_data: Mapping[str, np.ndarray]
) -> Any:
    """Cells and facets with 0/1 data `tag:<name>`, and further data on nodes and cells (NaN on facets)."""
    meshio = import_meshio("Writing VTK files")
    blocks = list(mesh.cells_dict.items())
    on_points, on_cells = dict(point_data), {}
    for name, values in cell_data.items():
        on_cells[name] = [values, np.full((len(mesh.facets), *values.shape[1:]), np.nan)]
    for name, tag in geometry.tags.items():
        if tag.cells is not None or tag.facets is not None:
            on_cells[TAG_PREFIX + name] = [_marks(len(mesh.cells), tag.cells), _marks(len(mesh.facets), tag.facets)]
        extra = extra_nodes(mesh, tag)
        if len(extra):
            on_points[TAG_PREFIX + name] = _marks(len(mesh.points), extra)
    return meshio.Mesh(padded(mesh.points), blocks, point_data=on_points, cell_data=on_cells)


def _percent_encoded(name: str) -> str:
    """As VTK does it in its legacy format, in which a space would end the name."""
    return quote(name, safe="".join(map(chr, range(33, 127))).replace('"', "").replace("%", ""))


def _xml_encoded(name: str) -> str:
    """meshio writes attributes as they are."""
    return escape(name, {'"': "&quot;"})


_ENCODED: dict[str, Callable[[str], str]] = {"vtk": _percent_encoded, "vtu": _xml_encoded}


def write_vtk(
    path: Path,
    kind: str,
    geometry: Geometry,
    mesh: Mesh,
    point_data: Mapping[str, np.ndarray] | None = None,
    cell_data: Mapping[str, np.ndarray] | None = None,
) -> None:
    """A `.vtu` (XML) or `.vtk` (legacy) file."""
    contents = meshio_mesh(geometry, mesh, point_data or {}, cell_data or {})
    contents.point_data = {_ENCODED[kind](name): values for name, values in contents.point_data.items()}
    contents.cell_data = {_ENCODED[kind](name): values for name, values in contents.cell_data.items()}
    import_meshio("Writing VTK files").write(path, contents, file_format=kind)


# -- gmsh ----
def _classes(count: int, members: Mapping[str, np.ndarray]) -> list[tuple[tuple[str, ...], Int[np.ndarray, " m"]]]:
    """Elements grouped by the sets that they belong to: one entity each."""
    code = np.zeros(count, dtype=np.int64)
    for ids in members.values():
        inside = np.zeros(count, dtype=np.int64)
        inside[ids] = 1
        code = np.unique(2 * code + inside, return_inverse=True)[1].reshape(-1).astype(np.int64)
    classes = []
    for value in np.unique(code):
        ids = np.flatnonzero(code == value)
        names = tuple(name for name, set_ids in members.items() if np.any(set_ids == ids[0]))
        classes.append((names, ids))
    return classes


def _gmsh_entries(geometry: Geometry, mesh: Mesh) -> list[tuple[int, tuple[str, ...], np.ndarray]]:
    """`(dimension, names of the physical groups, elements)` of every entity."""
    dimension, tags = mesh.dimension, geometry.tags
    cells = {name: tag.cells for name, tag in tags.items() if tag.cells is not None}
    facets = {name: tag.facets for name, tag in tags.items() if tag.facets is not None}
    entries = [(dimension, names, mesh.cells[ids]) for names, ids in _classes(len(mesh.cells), cells)]
    entries += [(dimension - 1, names, mesh.facets[ids]) for names, ids in _classes(len(mesh.facets), facets)]
    for name, tag in tags.items():
        extra = extra_nodes(mesh, tag)
        if len(extra):
            entries.append((0, (EXTRA_NODES + name,), extra[:, None]))
    return entries


def _write_groups(
    file: TextIO, points: np.ndarray, entries: list[tuple[int, tuple[str, ...], np.ndarray]]
) -> list[tuple[int, int]]:
    """Physical names and entities; returns dimension and tag of every entity."""
    groups = dict.fromkeys((dimension, name) for dimension, names, _ in entries for name in names)
    numbers = {group: number for number, group in enumerate(groups, start=1)}
    file.write(f"$PhysicalNames\n{len(numbers)}\n")
    file.writelines(f'{dimension} {number} "{name}"\n' for (dimension, name), number in numbers.items())
    file.write("$EndPhysicalNames\n$Entities\n")
    counts = [sum(entry[0] == dimension for entry in entries) for dimension in range(4)]
    file.write(" ".join(map(str, counts)) + "\n")
    entities: dict[int, tuple[int, int]] = {}
    for dimension in range(4):
        rows = [row for row, entry in enumerate(entries) if entry[0] == dimension]
        for tag, row in enumerate(rows, start=1):
            entities[row] = (dimension, tag)
            _, names, elements = entries[row]
            corners = points[elements.reshape(-1)]
            box = corners[:1] if dimension == 0 else np.stack([corners.min(axis=0), corners.max(axis=0)])
            owned = [str(numbers[dimension, name]) for name in names]
            words = [str(tag), *(f"{value:.17g}" for value in box.reshape(-1)), str(len(owned)), *owned]
            file.write(" ".join([*words, *(["0"] if dimension else [])]) + "\n")
    file.write("$EndEntities\n")
    return [entities[row] for row in range(len(entries))]


def write_msh(path: Path, geometry: Geometry, mesh: Mesh) -> None:
    """A gmsh 4.1 text file: unlike in version 2, an element may belong to several physical groups."""
    points, entries = padded(mesh.points), _gmsh_entries(geometry, mesh)
    count = len(points)
    with path.open("w", encoding="utf-8") as file:
        file.write("$MeshFormat\n4.1 0 8\n$EndMeshFormat\n")
        entities = _write_groups(file, points, entries)
        file.write(f"$Nodes\n1 {count} 1 {count}\n{mesh.dimension} 1 0 {count}\n")
        np.savetxt(file, np.arange(1, count + 1), fmt="%d")
        np.savetxt(file, points, fmt="%.17g")
        total = sum(len(elements) for _, _, elements in entries)
        file.write(f"$EndNodes\n$Elements\n{len(entries)} {total} 1 {total}\n")
        start = 1
        for (dimension, tag), (_, _, elements) in zip(entities, entries, strict=True):
            file.write(f"{dimension} {tag} {KINDS[SIMPLICES[dimension]].gmsh[0]} {len(elements)}\n")
            numbers = np.arange(start, start + len(elements))
            np.savetxt(file, np.column_stack([numbers, elements + 1]), fmt="%d")
            start += len(elements)
        file.write("$EndElements\n")
