"""What the first argument of `jno.domain(...)` may be, other than another domain."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jno.utils import user_path

from ._shapely import is_shapely
from .geometry import Geometry, load_npz
from .io import PathLike, load_mesh
from .shapes import cad_geometry, callable_geometry, is_cad

_ALLOWED = (
    "another domain, a shapely geometry, a list of vertices, a dict of these, the path of a mesh file, of a CAD file "
    "(.step, .brep) or of an .npz point cloud, a callable that draws with gmsh, or use a constructor such as "
    "jno.domain.line(), jno.domain.rect(), jno.domain.cube() or jno.domain.from_array({...})"
)


def is_region(source: object) -> bool:
    """Whether a source describes polygons: a shapely geometry, vertices, or a mapping of these."""
    return is_shapely(source) or isinstance(source, (Mapping, list, tuple, np.ndarray))


@dataclass(frozen=True)
class SourceOptions:
    """Keywords of `jno.domain(...)` that concern the geometry."""

    algorithm: int = 6
    keep_orphan_nodes: bool = False
    mesh_size: object = None


def _reject(options: SourceOptions, **meaningless: str) -> None:
    """Options that mean nothing for a source."""
    if options.keep_orphan_nodes and "keep_orphan_nodes" in meaningless:
        raise ValueError("keep_orphan_nodes=True concerns mesh files only; leave it out.")
    if options.mesh_size is not None and "mesh_size" in meaningless:
        raise ValueError(f"mesh_size={options.mesh_size!r} means nothing for {meaningless['mesh_size']}; leave it out.")


def _file(source: PathLike, options: SourceOptions) -> Geometry:
    path = user_path(source)
    if path.suffix.lower() == ".npz":
        _reject(options, keep_orphan_nodes="", mesh_size="a point cloud")
        return load_npz(str(path))
    if not path.is_file():
        raise FileNotFoundError(f"jno.domain(constructor={os.fspath(source)!r}): there is no geometry file there.")
    if is_cad(path):
        _reject(options, keep_orphan_nodes="")
        return cad_geometry(path, mesh_size=options.mesh_size, algorithm=options.algorithm)
    _reject(options, mesh_size="a mesh file")
    return load_mesh(path, keep_orphan_nodes=options.keep_orphan_nodes)


def geometry_from(source: object, options: SourceOptions | None = None) -> Geometry:
    """The geometry that a user's first argument describes."""
    options = options or SourceOptions()
    if source is None:
        raise ValueError(f"You must provide a geometry: jno.domain(...) takes {_ALLOWED}.")
    if isinstance(source, (str, os.PathLike)):
        return _file(source, options)
    if callable(source):
        _reject(options, mesh_size="a geometry callable, which returns (geometry, dimension, mesh size)")
        return callable_geometry(source, algorithm=options.algorithm, keep_orphan_nodes=options.keep_orphan_nodes)
    raise ValueError(f"jno.domain({source!r}): cannot make a domain from this; give {_ALLOWED}.")
