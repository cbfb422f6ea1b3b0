"""Reading mesh files."""

from __future__ import annotations

from pathlib import Path

from jno.utils import shown_path

from ...geometry import Geometry, build_geometry
from ...mesh import MeshFileError, RawMesh
from ._abaqus import read_inp
from ._claims import check_hdf5
from ._gmsh_reader import read_with_gmsh
from ._meshio_reader import read_with_meshio
from ._msh_text import is_text_msh, parse_msh
from ._vtk import read_vtk
from ._vtu import read_vtu

_VERSIONS = "The versions 2.2, 4.0 and 4.1 of gmsh's format are read; save it as 4.1."


def load_mesh(path: Path, *, keep_orphan_nodes: bool = False) -> Geometry:
    """The geometry in a mesh file; its named sets become tags."""
    origin = f"The mesh file {shown_path(path)!r}"
    if not path.is_file():
        raise FileNotFoundError(f"There is no mesh file {shown_path(path)!r}.")
    if not path.stat().st_size:
        raise MeshFileError(f"{origin} is empty.")
    return build_geometry(_read(path, origin), origin, keep_orphan_nodes=keep_orphan_nodes)


def _read(path: Path, origin: str) -> RawMesh:
    check_hdf5(path, origin)
    reader = _READERS.get(path.suffix.lower(), read_with_meshio)
    return reader(path, origin)


def _read_msh(path: Path, origin: str) -> RawMesh:
    contents = path.read_bytes()
    if is_text_msh(contents[:200]):
        return parse_msh(contents.decode("utf-8", errors="replace"), origin)
    if not contents.startswith(b"$"):  # Ansys uses the same extension
        return read_with_meshio(path, origin)
    # neither gmsh nor meshio notices that the last section is cut
    if not contents.rstrip().splitlines()[-1].upper().startswith(b"$END"):
        raise MeshFileError(f"{origin} is truncated: its last line is not the $End… of a section.")
    version = contents.split(None, 2)[1]
    try:
        # gmsh gives groups to entities only, whereas in version 2.2 every element has its own
        reader = read_with_gmsh if version.startswith(b"4") else read_with_meshio
        try:
            return reader(path, origin)
        except ImportError:
            if version != b"4.1":
                raise
            return read_with_meshio(path, origin)
    except MeshFileError as error:
        raise MeshFileError(f"{error} {_VERSIONS}") from error


def _read_med(path: Path, origin: str) -> RawMesh:
    try:
        return read_with_meshio(path, origin)
    except MeshFileError as error:  # meshio needs groups in the file
        try:
            return read_with_gmsh(path, origin)
        except (ImportError, MeshFileError):
            raise error from None


_READERS = {".inp": read_inp, ".med": _read_med, ".msh": _read_msh, ".vtk": read_vtk, ".vtu": read_vtu}
