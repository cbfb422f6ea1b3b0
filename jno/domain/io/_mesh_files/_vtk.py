"""Reading VTK's old format, `.vtk`, versions 1 to 5.1 (https://docs.vtk.org/en/latest/vtk_file_formats)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from ...mesh import MeshFileError, RawMesh
from ._claims import check_claim
from ._vtk_cells import VtkMesh, raw_mesh
from ._vtk_stream import VtkStream

# cells of POLYDATA by their section
_POLYDATA = {"VERTICES": 2, "LINES": 4, "POLYGONS": 7, "TRIANGLE_STRIPS": 6}
# attributes with a fixed number of components
_COMPONENTS = {
    "VECTORS": 3,
    "NORMALS": 3,
    "TENSORS": 9,
    "TENSORS6": 6,
    "GLOBAL_IDS": 1,
    "PEDIGREE_IDS": 1,
    "EDGE_FLAGS": 1,
}
_BYTES_PER_POINT = 96
"""Of a structured grid: a number, three coordinates and the eight corners of a cell."""
_STRUCTURED = ("STRUCTURED_POINTS", "STRUCTURED_GRID", "RECTILINEAR_GRID")


@dataclass
class _Contents:
    """What has been read so far."""

    dataset: str = ""
    settings: dict[str, list[str]] = field(default_factory=dict)  # DIMENSIONS, ORIGIN, SPACING
    axes: dict[str, np.ndarray] = field(default_factory=dict)  # X_COORDINATES, ...
    points: np.ndarray | None = None
    nodes: list[np.ndarray] = field(default_factory=list)
    lengths: list[np.ndarray] = field(default_factory=list)
    types: list[np.ndarray] = field(default_factory=list)
    data: dict[str, dict[str, np.ndarray]] = field(default_factory=lambda: {"CELL_DATA": {}, "POINT_DATA": {}, "": {}})
    active: str = ""
    rows: int = 0


def read_vtk(path: Path, origin: str) -> RawMesh:
    """The mesh of an unstructured grid, of polygons or of a structured grid; data named `tag:<name>` are sets."""
    try:
        contents = _read(VtkStream(path.read_bytes()))
        if contents.dataset in _STRUCTURED:
            _check_grid(contents, path.stat().st_size, origin)
        return raw_mesh(_mesh(contents), origin)
    except (ValueError, IndexError, KeyError, EOFError, OverflowError) as error:
        if isinstance(error, MeshFileError):
            raise
        raise MeshFileError(f"{origin} is corrupt, truncated or not a .vtk file ({error}).") from error


def _read(stream: VtkStream) -> _Contents:
    contents = _Contents()
    while (words := stream.words()) is not None:
        _section(words, contents, stream)
    return contents


def _check_grid(contents: _Contents, size: int, origin: str) -> None:
    """Refuse a grid whose dimensions, a few numbers, stand for more points and cells than the machine should hold."""
    shape = [int(word) for word in contents.settings["DIMENSIONS"]]
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"DIMENSIONS {' '.join(map(str, shape))} are not three numbers above zero")
    check_claim(math.prod(shape) * _BYTES_PER_POINT, size, origin)


def _section(words: list[str], contents: _Contents, stream: VtkStream) -> None:
    match words[0].upper():
        case "DATASET":
            contents.dataset = words[1].upper()
        case "DIMENSIONS" | "ORIGIN" | "SPACING" | "ASPECT_RATIO" as key:
            contents.settings["SPACING" if key == "ASPECT_RATIO" else key] = words[1:4]
        case "X_COORDINATES" | "Y_COORDINATES" | "Z_COORDINATES" as key:
            contents.axes[key] = stream.numbers(int(words[1]), words[2])
        case "POINTS":
            contents.points = stream.numbers(3 * int(words[1]), words[2]).reshape(-1, 3)
        case "CELLS":
            _cells(words, contents, stream)
        case "CELL_TYPES":
            contents.types.append(stream.numbers(int(words[1]), "int"))
        case "VERTICES" | "LINES" | "POLYGONS" | "TRIANGLE_STRIPS" as key:
            count = _cells(words, contents, stream)
            contents.types.append(np.full(count, _POLYDATA[key]))
        case "CELL_DATA" | "POINT_DATA" as key:
            contents.active, contents.rows = key, int(words[1])
        case "METADATA":
            stream.skip_paragraph()
        case key:
            _attribute(key, words, contents, stream)


def _attribute(key: str, words: list[str], contents: _Contents, stream: VtkStream) -> None:
    """One array of data, or several in a FIELD."""
    data = contents.data[contents.active]
    if key == "FIELD":
        for _ in range(int(words[2])):
            name, components, rows, kind = _words(stream)[:4]
            data[unquote(name)] = stream.numbers(int(components) * int(rows), kind).reshape(int(rows), -1)
        return
    if key == "LOOKUP_TABLE":
        stream.numbers(4 * int(words[2]), "unsigned_char" if stream.binary else "float")
        return
    width, number_type = _layout(key, words, stream)
    data[unquote(words[1])] = stream.numbers(width * contents.rows, number_type).reshape(contents.rows, width)


def _layout(key: str, words: list[str], stream: VtkStream) -> tuple[int, str]:
    """Number of components and type of one array of data."""
    if key in _COMPONENTS:
        return _COMPONENTS[key], words[2]
    if key == "SCALARS":
        table = _words(stream)
        if table[0].upper() != "LOOKUP_TABLE":
            raise ValueError(f"LOOKUP_TABLE expected after SCALARS, got {' '.join(table)!r}")
        return int(words[3]) if len(words) > 3 else 1, words[2]
    if key == "COLOR_SCALARS":
        return int(words[2]), "unsigned_char" if stream.binary else "float"
    if key == "TEXTURE_COORDINATES":
        return int(words[2]), words[3]
    raise ValueError(f"unknown section {key!r}")


def _words(stream: VtkStream) -> list[str]:
    """The words of the next line; arrays in a FIELD may have METADATA after them."""
    while (words := stream.words()) is not None:
        if words[0].upper() != "METADATA":
            return words
        stream.skip_paragraph()
    raise EOFError("the file ends inside a section")


def _cells(words: list[str], contents: _Contents, stream: VtkStream) -> int:
    """Read cells in either layout and return how many there are."""
    count, size = int(words[1]), int(words[2])
    layout = stream.peek()
    if layout and layout[0].upper() == "OFFSETS":  # since version 5
        ends = stream.numbers(count, _words(stream)[1]) if count else np.zeros(0, dtype=np.int64)
        nodes = stream.numbers(size, _words(stream)[1])
        contents.nodes.append(nodes)
        contents.lengths.append(np.diff(ends))
        return max(count - 1, 0)
    flat = stream.numbers(size, "int")
    starts = _starts(flat, count)
    contents.lengths.append(flat[starts])
    are_nodes = np.ones(len(flat), dtype=bool)
    are_nodes[starts] = False
    contents.nodes.append(flat[are_nodes])
    return count


def _starts(flat: np.ndarray, count: int) -> np.ndarray:
    """Where the cells start, each being the number of its nodes and these."""
    if count and len(flat) % count == 0 and np.all(flat[:: len(flat) // count] == len(flat) // count - 1):
        return np.arange(count) * (len(flat) // count)
    if count > len(flat):
        raise ValueError(f"{count} cells announced, in {len(flat)} numbers")
    starts = np.zeros(count, dtype=np.int64)
    at = 0
    for cell in range(count):
        starts[cell] = at
        at += 1 + int(flat[at])
    if at != len(flat):
        raise ValueError(f"the {count} cells need {at} numbers, {len(flat)} are announced")
    return starts


def _mesh(contents: _Contents) -> VtkMesh:
    if contents.dataset in _STRUCTURED:
        points, cells, kind = _structured(contents)
        nodes, ends = cells.reshape(-1), np.arange(1, len(cells) + 1) * cells.shape[1]
        types = np.full(len(cells), kind)
    elif contents.dataset in ("UNSTRUCTURED_GRID", "POLYDATA"):
        if contents.points is None:
            raise ValueError("there is no section POINTS")
        none = np.zeros(0, dtype=np.int64)
        points, nodes = contents.points, np.concatenate([none, *contents.nodes])
        ends, types = np.cumsum(np.concatenate([none, *contents.lengths])), np.concatenate([none, *contents.types])
    else:
        raise ValueError(
            f"DATASET {contents.dataset!r} is none of UNSTRUCTURED_GRID, POLYDATA, {', '.join(_STRUCTURED)}"
        )
    return VtkMesh(
        np.asarray(points, dtype=np.float64),
        np.asarray(nodes, dtype=np.int64),
        np.asarray(ends, dtype=np.int64),
        np.asarray(types, dtype=np.int64),
        contents.data["CELL_DATA"],
        contents.data["POINT_DATA"],
    )


def _structured(contents: _Contents) -> tuple[np.ndarray, np.ndarray, int]:
    """Points and cells of a grid, whose first index runs fastest, and VTK's number of the kind of the cells."""
    shape = [int(word) for word in contents.settings["DIMENSIONS"]]
    number = np.arange(int(np.prod(shape))).reshape(shape, order="F")
    used = [axis for axis in range(3) if shape[axis] > 1]
    if contents.dataset == "STRUCTURED_GRID":
        if contents.points is None:
            raise ValueError("there is no section POINTS")
        points = contents.points
    else:
        axes = [_axis(contents, axis, shape[axis]) for axis in range(3)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3, order="F")
    corners = [
        number[
            tuple(
                slice(bit, shape[axis] - 1 + bit) if axis in used else slice(None)
                for axis, bit in zip(range(3), bits, strict=True)
            )
        ]
        for bits in _corner_bits(used)
    ]
    cells = np.stack([corner.reshape(-1, order="F") for corner in corners], axis=1)
    return points, cells, {0: 1, 1: 3, 2: 8, 3: 11}[len(used)]  # vertex, line, pixel, voxel


def _corner_bits(used: list[int]) -> list[tuple[int, int, int]]:
    """Steps along the three axes to the corners of a cell, in the order of VTK's pixel and voxel."""
    bits = []
    for corner in range(2 ** len(used)):
        step = [0, 0, 0]
        for place, axis in enumerate(used):
            step[axis] = corner >> place & 1
        bits.append((step[0], step[1], step[2]))
    return bits


def _axis(contents: _Contents, axis: int, count: int) -> np.ndarray:
    if contents.dataset == "RECTILINEAR_GRID":
        return contents.axes["XYZ"[axis] + "_COORDINATES"]
    origin = float(contents.settings.get("ORIGIN", ["0", "0", "0"])[axis])
    return origin + float(contents.settings["SPACING"][axis]) * np.arange(count)
