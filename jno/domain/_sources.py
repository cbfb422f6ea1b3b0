"""What the first argument of `jno.domain(...)` may be, other than another domain."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jno.utils import user_path

from .geometry import Geometry, load_npz
from .io import load_mesh
from .shapes import cad_geometry, callable_geometry, is_cad

_ALLOWED = (
    "another domain, a shapely geometry, a list of vertices, a dict of these, the path of a mesh file, of a CAD file "
    "(.step, .brep) or of an .npz point cloud, a callable that draws with gmsh, or use a constructor such as "
    "jno.domain.line(), jno.domain.rect(), jno.domain.cube() or jno.domain.from_array({...})"
)


def _is_npz(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike)) and os.fspath(source).lower().endswith(".npz")


def _is_path(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike))


def is_region(source: Any) -> bool:
    """Whether a source describes polygons: a shapely geometry, vertices, or a mapping of these."""
    shapely = type(source).__module__.partition(".")[0] == "shapely"
    return shapely or isinstance(source, (Mapping, list, tuple, np.ndarray))


@dataclass(frozen=True)
class SourceOptions:
    """Keywords of `jno.domain(...)` that concern the geometry."""

    algorithm: int = 6
    keep_orphan_nodes: bool = False
    mesh_size: Any = None


def _reject(options: SourceOptions, **wanted: str) -> None:
    """Options that mean nothing for a source."""
    if options.keep_orphan_nodes and "keep_orphan_nodes" in wanted:
        raise ValueError("keep_orphan_nodes=True concerns mesh files only; leave it out.")
    if options.mesh_size is not None and "mesh_size" in wanted:
        raise ValueError(f"mesh_size={options.mesh_size!r} means nothing for {wanted['mesh_size']}; leave it out.")


def _point_cloud(source: Any, options: SourceOptions) -> Geometry:
    _reject(options, keep_orphan_nodes="", mesh_size="a point cloud")
    return load_npz(str(user_path(source)))


def _file(source: Any, options: SourceOptions) -> Geometry:
    path = user_path(source)
    if not path.is_file():
        raise FileNotFoundError(f"There is no geometry file {os.fspath(source)!r}.")
    if is_cad(path):
        _reject(options, keep_orphan_nodes="")
        return cad_geometry(path, mesh_size=options.mesh_size, algorithm=options.algorithm)
    _reject(options, mesh_size="a mesh file")
    return load_mesh(path, keep_orphan_nodes=options.keep_orphan_nodes)


def _geometry_callable(source: Any, options: SourceOptions) -> Geometry:
    _reject(options, mesh_size="a geometry callable, which returns (geometry, dimension, mesh size)")
    return callable_geometry(source, algorithm=options.algorithm, keep_orphan_nodes=options.keep_orphan_nodes)


_RULES: tuple[tuple[Callable[[Any], bool], Callable[[Any, SourceOptions], Geometry]], ...] = (
    (_is_npz, _point_cloud),
    (_is_path, _file),
    (callable, _geometry_callable),
)


def geometry_from(source: Any, options: SourceOptions | None = None) -> Geometry:
    """The geometry that a user's first argument describes."""
    if source is None:
        raise ValueError(f"You must provide a geometry: jno.domain(...) takes {_ALLOWED}.")
    for matches, build in _RULES:
        if matches(source):
            return build(source, options or SourceOptions())
    raise ValueError(f"jno.domain({source!r}): cannot make a domain from this; give {_ALLOWED}.")
