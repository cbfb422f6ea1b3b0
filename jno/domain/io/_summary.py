"""The text of `domain.summary()`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..geometry._geometry import Geometry


def _extent(points: np.ndarray) -> str:
    if not len(points):
        return "empty"
    return " x ".join(
        f"[{low:.4g}, {high:.4g}]" for low, high in zip(points.min(axis=0), points.max(axis=0), strict=True)
    )


def _kind(geometry: Geometry) -> str:
    if geometry.mesh is not None:
        return repr(geometry.mesh)
    return "point cloud" if geometry.lazy is None else "regions without a mesh"


def _region_line(geometry: Geometry, name: str) -> str:
    if name not in geometry.tags:
        return f"  {name}: drawn from the {'boundary' if geometry.is_boundary(name) else 'area'}"
    tag = geometry.tags[name]
    line = f"  {name}: {len(tag.nodes)} points, {_extent(geometry.points[tag.nodes])}"
    if tag.normals is None:
        return line
    return f"{line}, mean normal {np.round(tag.normals.mean(axis=0), 3).tolist()}"


def summary_lines(
    geometry: Geometry,
    time: Any,
    total_samples: int,
    data: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> list[str]:
    """One line per fact."""
    lines = [f"domain: {geometry.dimension}-D, {_kind(geometry)}", f"  time: {time}", f"  batch rows: {total_samples}"]
    lines += [_region_line(geometry, name) for name in geometry.names]
    lines += [f"  data {name}: shape {array.shape}" for name, array in data.items()]
    lines += [f"  parameter {name}: {value}" for name, value in parameters.items()]
    return lines
