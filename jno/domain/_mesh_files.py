"""Reading mesh files."""

from __future__ import annotations

from pathlib import Path

from ._geometry import Geometry
from ._mesh_builder import build_geometry
from ._meshio_reader import read_with_meshio
from ._msh_text import is_text_msh, parse_msh
from ._raw_mesh import MeshFileError, RawMesh


def load_mesh(path: Path, *, keep_orphan_nodes: bool = False) -> Geometry:
    """The geometry in a mesh file; its named sets become tags."""
    origin = f"The mesh file {str(path)!r}"
    if not path.is_file():
        raise FileNotFoundError(f"There is no mesh file {str(path)!r}.")
    if not path.stat().st_size:
        raise MeshFileError(f"{origin} is empty.")
    return build_geometry(_read(path, origin), origin, keep_orphan_nodes=keep_orphan_nodes)


def _read(path: Path, origin: str) -> RawMesh:
    if path.suffix.lower() != ".msh":
        return read_with_meshio(path, origin)
    contents = path.read_bytes()
    if is_text_msh(contents[:200]):
        return parse_msh(contents.decode("utf-8", errors="replace"), origin)
    if not contents.startswith(b"$"):  # Ansys uses the same extension
        return read_with_meshio(path, origin)
    # meshio does not notice that the last section is cut
    if not contents.rstrip().splitlines()[-1].upper().startswith(b"$END"):
        raise MeshFileError(f"{origin} is truncated: its last line is not the $End… of a section.")
    try:
        return read_with_meshio(path, origin)
    except MeshFileError as error:
        raise MeshFileError(f"{error} The versions 2.2 and 4.1 of gmsh's format are read; save it as 4.1.") from error
