"""Mesh files that gmsh reads itself: the versions 4.0 and 4.1 of its format, also binary, and formats of others."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jno.utils import get_logger

from ...mesh import MeshFileError, RawMesh, gmsh_model, physical_names, read_model

_HEADS = {".msh": b"$MeshFormat", ".med": b"\x89HDF\r\n\x1a\n"}
"""First bytes of the files that gmsh reads for us."""


def read_with_gmsh(path: Path, origin: str) -> RawMesh:
    """The mesh and the physical groups that gmsh finds in a file; its warnings are passed on."""
    with gmsh_model(f"Reading {path.suffix} files of this kind") as gmsh:
        gmsh.logger.start()
        try:
            with _alone(path, origin) as link:
                gmsh.merge(str(link))
        except Exception as error:  # gmsh raises nothing more special
            raise MeshFileError(f"{origin} is corrupt, truncated or not a {path.suffix} file ({error}).") from error
        finally:
            messages = list(gmsh.logger.get())
            gmsh.logger.stop()
        for message in messages:
            if message.startswith("Warning"):
                get_logger().warning(f"{origin}: gmsh says: {message.partition(':')[2].strip()}")
        dimension = max((entity[0] for entity in gmsh.model.getEntities() if _has_elements(gmsh, entity)), default=0)
        names = physical_names(gmsh)
        raw = read_model(gmsh, dimension, names, origin)
    sets = {name: raw.sets.get(name, ()) for owned in names.values() for name in owned}
    return RawMesh(raw.points, raw.blocks, sets)


@contextmanager
def _alone(path: Path, origin: str) -> Iterator[Path]:
    """A link to the file under a name and in a folder of our own.

    gmsh runs a file as a script, which may start any program, unless it knows its kind by an ending in small letters or
    its first line; and it runs the script `<file>.opt` where there is one beside the file.

    Raises:
        MeshFileError: the file does not begin as its kind does.
    """
    suffix = path.suffix.lower()
    with path.open("rb") as stream:
        head = stream.read(len(_HEADS[".msh"]))
    if suffix not in _HEADS or not head.startswith(_HEADS[suffix]):
        raise MeshFileError(f"{origin} is corrupt or not a {suffix} file: it begins with {head!r}.")
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"mesh{suffix}"
        try:
            link.symlink_to(path.absolute())
        except OSError:  # Windows may forbid links
            shutil.copyfile(path, link)
        yield link


def _has_elements(gmsh: object, entity: tuple[int, int]) -> bool:
    return len(gmsh.model.mesh.getElementTypes(*entity)) > 0  # type: ignore[attr-defined]
