"""What the first argument of `jno.domain(...)` may be, other than another domain."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ._geometry import Geometry
from ._point_cloud import load_npz

_ALLOWED = (
    "another domain, the path of an .npz point cloud, or use a constructor such as jno.domain.line(), "
    "jno.domain.rect(), jno.domain.cube() or jno.domain.from_array({...})"
)


def _is_npz(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike)) and os.fspath(source).lower().endswith(".npz")


def _is_path(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike))


def _is_region(source: Any) -> bool:
    shapely = type(source).__module__.partition(".")[0] == "shapely"
    return shapely or isinstance(source, (Mapping, list, tuple, np.ndarray))


def _mesh_file(source: Any) -> Geometry:
    if not Path(source).is_file():
        raise FileNotFoundError(f"There is no geometry file {os.fspath(source)!r}.")
    raise NotImplementedError(f"Reading mesh files ({os.fspath(source)!r}) is not available yet; give {_ALLOWED}.")


def _geometry_callable(source: Any) -> Geometry:
    raise NotImplementedError(f"Geometry callables ({source!r}) are not available yet; give {_ALLOWED}.")


def _polygons(source: Any) -> Geometry:
    raise NotImplementedError(
        f"Polygon (CSG) domains from shapely geometries, vertex lists or dicts are not available yet "
        f"(got {type(source).__name__}); give {_ALLOWED}."
    )


_RULES: tuple[tuple[Callable[[Any], bool], Callable[[Any], Geometry]], ...] = (
    (_is_npz, lambda source: load_npz(os.fspath(source))),
    (_is_path, _mesh_file),
    (callable, _geometry_callable),
    (_is_region, _polygons),
)


def geometry_from(source: Any) -> Geometry:
    """The geometry that a user's first argument describes."""
    if source is None:
        raise ValueError(f"You must provide a geometry: jno.domain(...) takes {_ALLOWED}.")
    for matches, build in _RULES:
        if matches(source):
            return build(source)
    raise ValueError(f"jno.domain({source!r}): cannot make a domain from this; give {_ALLOWED}.")
