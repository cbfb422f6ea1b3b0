"""Meshes of the meshio library, and the file formats that it reads."""

from __future__ import annotations

import contextlib
import io
import struct
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from jno.utils import from_extra, get_logger

from ...geometry import EXTRA_NODES
from ...mesh import Block, MeshFileError, RawMesh, dimension_of, linear_kind
from ._claims import check_hdf5
from ._vtk_cells import TAG_PREFIX

# What meshio's parsers raise on bytes that are not what they expect; SystemExit is its way to give up.
MeshioMesh: TypeAlias = Any
MeshioBlock: TypeAlias = Any
"""Of meshio, which has no types to check."""

_PARSER_ERRORS = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AssertionError,
    AttributeError,
    UnboundLocalError,
    EOFError,
    OSError,
    RuntimeError,
    MemoryError,
    StopIteration,
    SystemExit,
    struct.error,
    zlib.error,
    ElementTree.ParseError,
)


def import_meshio(purpose: str) -> Any:
    """The library, or an error that names the extra."""
    with from_extra("mesh", f"{purpose} needs meshio"):
        import meshio
    return meshio


def read_with_meshio(path: Path, origin: str) -> RawMesh:
    """Any other file format."""
    return from_meshio(meshio_mesh(path, origin), origin)


def meshio_mesh(path: Path, origin: str) -> MeshioMesh:
    """What meshio reads.

    Raises:
        MeshFileError: the kind of file is unknown, or the file damaged.
        ImportError: a library is missing.
    """
    meshio = import_meshio(f"Reading {path.suffix} files")
    readable = sorted(meshio.extension_to_filetypes)
    if path.suffix.lower() not in readable:
        raise MeshFileError(f"{origin}: unknown kind of file {path.suffix!r}; known are .npz {' '.join(readable)}.")
    _refuse_endless(path, origin)
    check_hdf5(path, origin)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), np.errstate(all="ignore"):
            mesh = meshio.read(path)
    except ImportError as error:
        package = "'jno-jax[mesh]'" if error.name == "h5py" else error.name
        raise ImportError(
            f"{origin}: reading {path.suffix} files needs {error.name}: pip install {package}."
        ) from error
    except (meshio.ReadError, *_PARSER_ERRORS) as error:
        detail = " ".join(f"{said.getvalue()} {error}".split())
        raise MeshFileError(f"{origin} is corrupt, truncated or not a {path.suffix} file ({detail}).") from error
    if said.getvalue().strip():
        get_logger().warning(f"{origin}: meshio says: {' '.join(said.getvalue().split())}")
    return mesh


def _refuse_endless(path: Path, origin: str) -> None:
    """Files on which meshio's reader would not return."""
    if path.suffix.lower() == ".wkt":
        raise MeshFileError(
            f"{origin}: .wkt files hold surfaces; a domain needs a volume mesh, or a .msh or .vtu file."
        )
    if path.suffix.lower() == ".off":
        lines = path.read_bytes().splitlines()
        if not any(line.strip() and not line.startswith(b"#") for line in lines[1:]):
            raise MeshFileError(f"{origin} is truncated: the line with the numbers of its nodes and faces is missing.")


def from_meshio(mesh: MeshioMesh, origin: str) -> RawMesh:
    """Points, blocks and all named sets of a `meshio.Mesh`."""
    points = np.asarray(mesh.points, dtype=np.float64)
    if points.ndim != 2 or not points.shape[1] or not len(points):
        raise MeshFileError(f"{origin} has no points (their array has the shape {points.shape}).")
    blocks: tuple[Block, ...] = tuple(_block(block, origin) for block in mesh.cells)
    sets: dict[str, list[Block]] = {}
    for source in (_cell_sets, _physical_groups, _families, _node_families, _marked_cells, _point_sets):
        for name, block in source(mesh, blocks, origin):
            sets.setdefault(name, []).append(block)
    return RawMesh(points, blocks, {name: tuple(parts) for name, parts in sets.items()})


def _block(block: MeshioBlock, origin: str) -> Block:
    kind = linear_kind(block.type)
    try:
        nodes = np.asarray(block.data).astype(np.int64)
    except (TypeError, ValueError) as error:  # lists of faces
        raise MeshFileError(f"{origin} has elements of kind {kind!r}; divide them into tetrahedra first.") from error
    if kind == "polygon" and nodes.shape[1] in (3, 4):
        kind = "triangle" if nodes.shape[1] == 3 else "quad"
    return kind, nodes


def _cell_sets(mesh: MeshioMesh, blocks: tuple[Block, ...], origin: str) -> Iterator[tuple[str, Block]]:
    """Sets as lists of indices per block, or as dicts from the kind of cell."""
    for name, per_block in mesh.cell_sets.items():
        if name.startswith("gmsh:"):
            continue
        offset = 0
        yield name, ("vertex", np.zeros((0, 1), dtype=np.int64))  # the set exists, even without cells
        for number, (kind, nodes) in enumerate(blocks):
            by_kind = isinstance(per_block, dict)
            set_ids = per_block.get(mesh.cells[number].type) if by_kind else per_block[number]
            if set_ids is not None and len(set_ids):
                ids = np.asarray(set_ids).astype(np.int64)
                yield name, (kind, nodes[_local_ids(ids, offset, len(nodes), f"{origin}: the set {name!r}")])
            offset += len(nodes)


def _local_ids(ids: np.ndarray, offset: int, count: int, subject: str) -> np.ndarray:
    """Positions in a block of `count` cells that follows `offset` others."""
    if ids.min() >= 0 and ids.max() < count:
        return ids
    # some formats count cells over all blocks, or over other blocks than those that were read
    for start in (offset, int(ids.min())):
        if ids.min() >= max(start, 0) and ids.max() - start < count:
            return ids - start
    raise MeshFileError(f"{subject} lists cell {ids.max()}, but its block has {count} cells.")


def _physical_groups(mesh: MeshioMesh, blocks: tuple[Block, ...], origin: str) -> Iterator[tuple[str, Block]]:
    """gmsh's numbers of physical groups, where they did not come as named sets."""
    names = {(int(entry[1]), int(entry[0])): name for name, entry in mesh.field_data.items() if len(entry) == 2}
    if "gmsh:physical" in mesh.cell_data:
        for name in names.values():
            yield name, ("vertex", np.zeros((0, 1), dtype=np.int64))
    for (kind, nodes), numbers in zip(blocks, mesh.cell_data.get("gmsh:physical", ()), strict=False):
        for number in np.unique(numbers):
            name = names.get((dimension_of(kind), int(number)), f"physical_{number}")
            if number and name not in mesh.cell_sets:
                yield name, (kind, nodes[np.asarray(numbers) == number])


def _families(mesh: MeshioMesh, blocks: tuple[Block, ...], origin: str) -> Iterator[tuple[str, Block]]:
    """MED families: a negative number stands for one or more group names."""
    if "cell_tags" not in mesh.cell_data:
        return
    for (kind, nodes), numbers in zip(blocks, mesh.cell_data["cell_tags"], strict=True):
        for number, names in mesh.cell_tags.items():
            for name in names:
                yield name, (kind, nodes[np.asarray(numbers) == number])


def _node_families(mesh: MeshioMesh, blocks: tuple[Block, ...], origin: str) -> Iterator[tuple[str, Block]]:
    """MED families of nodes."""
    numbers = np.asarray(mesh.point_data.get("point_tags", ()))
    for number, names in getattr(mesh, "point_tags", {}).items():
        for name in names:
            yield EXTRA_NODES + name, ("vertex", np.flatnonzero(numbers == number).reshape(-1, 1))


def _marked_cells(mesh: MeshioMesh, blocks: tuple[Block, ...], origin: str) -> Iterator[tuple[str, Block]]:
    """Cell and point data named `tag:<name>`."""
    for key, per_block in mesh.cell_data.items():
        if key.startswith(TAG_PREFIX):
            for (kind, nodes), marks in zip(blocks, per_block, strict=True):
                yield key.removeprefix(TAG_PREFIX), (kind, nodes[np.asarray(marks).reshape(-1) != 0])
    for key, marks in mesh.point_data.items():
        if key.startswith(TAG_PREFIX):
            name = EXTRA_NODES + key.removeprefix(TAG_PREFIX)
            yield name, ("vertex", np.flatnonzero(np.asarray(marks).reshape(-1)).reshape(-1, 1))


def _point_sets(mesh: MeshioMesh, blocks: tuple[Block, ...], origin: str) -> Iterator[tuple[str, Block]]:
    """Named sets of nodes; a set of cells of the same name says more."""
    for name, ids in mesh.point_sets.items():
        if name not in mesh.cell_sets:
            yield EXTRA_NODES + name, ("vertex", np.asarray(ids).astype(np.int64).reshape(-1, 1))
