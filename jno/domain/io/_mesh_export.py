"""Meshes with their tags as files: gmsh 4.1 text, VTK and VTU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import Float, Int

from jno.utils import replaced_file

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
    meshio = import_meshio("Writing VTK files")
    with replaced_file(path) as temporary:
        meshio.write(temporary, contents, file_format=kind)


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


@dataclass(frozen=True, eq=False)
class _Entity:
    """Elements of one dimension that belong to the same physical groups."""

    dimension: int
    groups: tuple[str, ...]
    elements: Int[np.ndarray, "M V"]


def _entities(geometry: Geometry, mesh: Mesh) -> list[_Entity]:
    """Cells, facets, and nodes that belong to neither."""
    dimension, tags = mesh.dimension, geometry.tags
    cells = {name: tag.cells for name, tag in tags.items() if tag.cells is not None}
    facets = {name: tag.facets for name, tag in tags.items() if tag.facets is not None}
    entities = [_Entity(dimension, names, mesh.cells[ids]) for names, ids in _classes(len(mesh.cells), cells)]
    entities += [_Entity(dimension - 1, names, mesh.facets[ids]) for names, ids in _classes(len(mesh.facets), facets)]
    for name, tag in tags.items():
        extra = extra_nodes(mesh, tag)
        if len(extra):
            entities.append(_Entity(0, (EXTRA_NODES + name,), extra[:, None]))
    return entities


def _numbered(entities: list[_Entity]) -> list[int]:
    """The number of every entity among those of its dimension, from one."""
    counts = [0] * 4
    numbers = []
    for entity in entities:
        counts[entity.dimension] += 1
        numbers.append(counts[entity.dimension])
    return numbers


def _write_groups(file: TextIO, points: Float[np.ndarray, "N 3"], entities: list[_Entity]) -> None:
    """Physical names and entities, the points first."""
    groups = dict.fromkeys((entity.dimension, name) for entity in entities for name in entity.groups)
    numbers = {group: number for number, group in enumerate(groups, start=1)}
    file.write(f"$PhysicalNames\n{len(numbers)}\n")
    file.writelines(f'{dimension} {number} "{name}"\n' for (dimension, name), number in numbers.items())
    file.write("$EndPhysicalNames\n$Entities\n")
    counts = [sum(entity.dimension == dimension for entity in entities) for dimension in range(4)]
    file.write(" ".join(map(str, counts)) + "\n")
    by_dimension = sorted(zip(entities, _numbered(entities), strict=True), key=lambda pair: pair[0].dimension)
    for entity, tag in by_dimension:
        corners = points[entity.elements.reshape(-1)]
        is_point = entity.dimension == 0
        box = corners[:1] if is_point else np.stack([corners.min(axis=0), corners.max(axis=0)])
        group_numbers = [str(numbers[entity.dimension, name]) for name in entity.groups]
        words = [str(tag), *(f"{value:.17g}" for value in box.reshape(-1)), str(len(group_numbers)), *group_numbers]
        file.write(" ".join(words if is_point else [*words, "0"]) + "\n")
    file.write("$EndEntities\n")


def write_msh(path: Path, geometry: Geometry, mesh: Mesh) -> None:
    """A gmsh 4.1 text file: unlike in version 2, an element may belong to several physical groups."""
    points, entities = padded(mesh.points), _entities(geometry, mesh)
    count = len(points)
    with replaced_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("$MeshFormat\n4.1 0 8\n$EndMeshFormat\n")
        _write_groups(file, points, entities)
        file.write(f"$Nodes\n1 {count} 1 {count}\n{mesh.dimension} 1 0 {count}\n")
        np.savetxt(file, np.arange(1, count + 1), fmt="%d")
        np.savetxt(file, points, fmt="%.17g")
        total = sum(len(entity.elements) for entity in entities)
        file.write(f"$EndNodes\n$Elements\n{len(entities)} {total} 1 {total}\n")
        start = 1
        for entity, tag in zip(entities, _numbered(entities), strict=True):
            elements = entity.elements
            kind = KINDS[SIMPLICES[entity.dimension]].gmsh[0]
            file.write(f"{entity.dimension} {tag} {kind} {len(elements)}\n")
            numbers = np.arange(start, start + len(elements))
            np.savetxt(file, np.column_stack([numbers, elements + 1]), fmt="%d")
            start += len(elements)
        file.write("$EndElements\n")
