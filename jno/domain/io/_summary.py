"""The text of `domain.summary()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from ..geometry import Geometry
from ..sampling import DomainView

D = TypeVar("D", bound=DomainView)


def _extent(points: Float[np.ndarray, "N D"]) -> str:
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


def summary(self: D) -> D:
    """Log dimension, time, batch rows, regions, data and parameters; returns the domain.

    Example:
        >>> import jno
        >>> d = jno.domain.line()
        >>> d.summary() is d
        INFO: domain: 1-D, ...
        True
    """
    for line in _lines(self):
        self.log.info(line)
    return self


def _lines(domain: DomainView) -> Iterator[str]:
    """One line per fact."""
    geometry = domain.geometry
    yield f"domain: {geometry.dimension}-D, {_kind(geometry)}"
    yield f"  time: {domain.time}"
    yield f"  batch rows: {domain.total_samples}"
    yield from (_region_line(geometry, name) for name in geometry.names)
    yield from (f"  data {name}: shape {domain.context[name].shape}" for name in sorted(domain.samples.user_data))
    yield from (f"  parameter {name}: {value}" for name, value in domain.parameters.items())
