"""Volumes and plane regions from CAD files, through gmsh's OpenCASCADE kernel."""

from __future__ import annotations

from pathlib import Path

from jno.utils import get_logger, shown_path

from ..geometry import Geometry, build_geometry
from ..mesh import MeshFileError, generate, gmsh_model, numbered_names, physical_names, read_model
from ._checks import checked_size

_SUFFIXES = frozenset({".step", ".stp", ".brep", ".iges", ".igs"})
_DEFAULT_ELEMENTS = 20


def is_cad(path: Path) -> bool:
    """Whether the file holds an exact geometry rather than a mesh."""
    return path.suffix.lower() in _SUFFIXES


def _check_complete(path: Path, origin: str) -> None:
    """Refuse a file without its end: OpenCASCADE reads it as a part of the shape, or never returns."""
    contents = path.read_bytes()
    kind = path.suffix.lower()
    if kind in (".step", ".stp"):
        complete = b"END-ISO-10303-21;" in contents
    elif kind == ".brep" and b"CASCADE Topology" in contents[:300]:
        # a star ends each of the shapes that the last section announces; a reference to the whole follows
        announced, *shapes = contents.partition(b"\nTShapes ")[2].split() or [b"0"]
        complete = shapes.count(b"*") == int(announced) and shapes[-1:] != [b"*"] and bool(shapes)
    else:
        return
    if not complete:
        raise MeshFileError(f"{origin} is truncated or not a {kind} file: its end is missing.")


def cad_geometry(path: Path, *, mesh_size: object, algorithm: int) -> Geometry:
    """The meshed geometry of a CAD file; its faces are the tags `face_1`, `face_2`, ….

    Without a mesh size the diagonal of the bounding box is divided into 20.
    """
    origin = f"The CAD file {shown_path(path)!r}"
    size = None if mesh_size is None else checked_size(mesh_size)
    _check_complete(path, origin)
    with gmsh_model("Reading CAD files") as gmsh:
        try:
            entities = gmsh.model.occ.importShapes(str(path))
        except Exception as error:  # gmsh raises nothing more special
            raise MeshFileError(f"{origin} is corrupt or not a {path.suffix} file ({error}).") from error
        gmsh.model.occ.synchronize()
        dimension = max((d for d, _ in entities), default=0)
        if dimension < 2:
            raise MeshFileError(f"{origin} holds no volume and no face; a domain needs a solid or a plane region.")
        if size is None:
            box = gmsh.model.getBoundingBox(-1, -1)
            size = sum((box[i + 3] - box[i]) ** 2 for i in range(3)) ** 0.5 / _DEFAULT_ELEMENTS
            get_logger().info(
                f"{origin}: mesh_size={size:.4g}, a twentieth of its diagonal; give mesh_size= to choose."
            )
        generate(gmsh, dimension, size, algorithm, origin)
        names = physical_names(gmsh) or numbered_names(gmsh, dimension)
        raw = read_model(gmsh, dimension, names, origin)
    return build_geometry(raw, origin, ds=size, notice=False)
