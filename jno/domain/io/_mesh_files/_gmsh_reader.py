"""Mesh files that gmsh reads itself: the versions 4.0 and 4.1 of its format, also binary, and formats of others."""

from __future__ import annotations

from pathlib import Path

from jno.utils import get_logger

from ...mesh import MeshFileError, RawMesh, gmsh_model, physical_names, read_model


def read_with_gmsh(path: Path, origin: str) -> RawMesh:
    """The mesh and the physical groups that gmsh finds in a file; its warnings are passed on."""
    with gmsh_model(f"Reading {path.suffix} files of this kind") as gmsh:
        gmsh.logger.start()
        try:
            gmsh.merge(str(path))
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


def _has_elements(gmsh: object, entity: tuple[int, int]) -> bool:
    return len(gmsh.model.mesh.getElementTypes(*entity)) > 0  # type: ignore[attr-defined]
