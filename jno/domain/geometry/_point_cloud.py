"""Geometries without a mesh: named point sets from arrays or an `.npz` file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jno.utils import read_npz, shown_path

from ..mesh import Tag, check_tag_name
from ._geometry import Geometry


def _checked_points(name: object, points: object) -> Float[np.ndarray, "N D"]:
    check_tag_name(name)
    array = np.asarray(points)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"The points of tag {name!r} must be a 2-D array (N, D); got shape {array.shape}.")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"The points of tag {name!r} must be real numbers; got dtype {array.dtype}.")
    if not np.all(np.isfinite(array)):
        gaps = np.argwhere(~np.isfinite(array))
        row, column = gaps[0]
        raise ValueError(
            f"The points of tag {name!r} must be finite; {len(gaps)} numbers are not, the first in row {row}, column "
            f"{column}."
        )
    return array.astype(np.float64)


def cloud_geometry(tags: Mapping[str, Any], normals: object = None) -> Geometry:
    """One tag per entry; all entries have the same number of columns.  Empty arrays stay empty tags.

    Args:
        tags: tag -> points `(N, D)`.
        normals: tag -> outward normals `(N, D)`; these tags are boundaries.
    """
    if not isinstance(tags, Mapping):
        raise TypeError(f"from_array needs a dict tag -> (N, D) array; got {type(tags).__name__}.")
    if not tags:
        raise ValueError("A point cloud needs at least one tag; got no arrays.")
    arrays = {name: _checked_points(name, points) for name, points in tags.items()}
    # An empty array says nothing about the dimension of the space unless there is nothing else.
    filled = {name: array for name, array in arrays.items() if len(array)} or arrays
    columns = {name: array.shape[1] for name, array in filled.items()}
    dimension = next(iter(columns.values()))
    if set(columns.values()) != {dimension}:
        raise ValueError(f"All tags of a point cloud must have the same number of columns; got {columns}.")
    arrays = {name: array if len(array) else np.zeros((0, dimension)) for name, array in arrays.items()}
    ends = np.cumsum([len(array) for array in arrays.values()])
    outward = _unit_normals(normals, arrays)
    records = {
        name: Tag(name, np.arange(end - len(array), end), normals=outward.get(name))
        for (name, array), end in zip(arrays.items(), ends, strict=True)
    }
    return Geometry(np.concatenate(list(arrays.values())), records)


def _unit_normals(normals: object, arrays: Mapping[str, np.ndarray]) -> dict[str, Float[np.ndarray, "N D"]]:
    """The normals of tags, of length one."""
    if normals is None:
        return {}
    if not isinstance(normals, Mapping):
        raise TypeError(f"from_array(normals=) needs a dict tag -> (N, D) array; got {type(normals).__name__}.")
    unit = {}
    for name, vectors in normals.items():
        if name not in arrays:
            raise ValueError(f"from_array(normals=): there is no tag {name!r}; the tags are {list(arrays)}.")
        array = _checked_points(name, vectors)
        lengths = np.linalg.norm(array, axis=1, keepdims=True)
        if array.shape != arrays[name].shape or not np.all(lengths > 0.0):
            raise ValueError(
                f"from_array(normals=): the normals of {name!r} must be one vector other than zero for each of its "
                f"points, {arrays[name].shape}; got shape {array.shape}."
            )
        unit[name] = array / lengths
    return unit


def load_npz(path: str) -> Geometry:
    """Every key of the archive is a tag."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no point-cloud file {shown_path(path)!r}.")
    origin = f"The point-cloud file {shown_path(path)!r}"
    arrays = read_npz(Path(path), origin)
    try:
        return cloud_geometry(arrays)
    except ValueError as error:
        raise ValueError(f"{origin} cannot be used: {error}") from error
