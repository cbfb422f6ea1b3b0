"""Points from which training may choose new ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jno.utils import TEXT, checked

from ..drawable import PointsAndNormals, draw_with_times
from ..geometry import Geometry
from ._record import SampleRecord, region_of
from ._view import DomainView


def candidates(
    domain: DomainView, record: SampleRecord, row: int, count: int, generator: np.random.Generator, *, on_nodes: bool
) -> PointsAndNormals:
    """Candidates for the points of one batch row, and their outward normals on a boundary.

    They are drawn from the shape or from the cells or facets of the mesh. Where only nodes have a meaning, in a point
    cloud, and for regions without cells and facets they are all points of the region.

    Args:
        domain: the domain.
        record: the point set.
        row: batch row.
        count: how many, where they are drawn.
        generator: draws them.
        on_nodes: whether the points must be nodes, as finite differences need.
    """
    geometry, region = domain.batch.by_row[row], record.region
    tag = geometry.tags.get(region)
    if (
        record.times is None
        and tag is not None
        and (on_nodes or geometry.is_cloud or (tag.cells is None and tag.facets is None))
    ):
        return geometry.pool(region), tag.normals
    return draw_with_times(geometry, region, count, record.shape_sampler, generator, record.times)


@checked(tag=TEXT)
def draw_candidates(
    self: DomainView, tag: str
) -> tuple[Float[np.ndarray, "M _"] | None, Float[np.ndarray, "M _"] | None]:
    """Points of a tag on all merged geometries: all nodes, or fresh points of a shape.

    Of a shape they are ten times as many as are in use, at least a thousand, drawn anew at every call. Training
    draws candidates by itself, from the cells and facets of a mesh too.

    Args:
        tag: a tag of the geometry or a key of the context made from one.

    Returns:
        Points `(M, D)` and their normals, `None` for a region that has none; `(None, None)` for an
        unknown tag.

    Example:
        >>> import jno
        >>> points, normals = jno.domain.line(mesh_size=0.5).draw_candidates("interior")
        >>> points.shape, normals
        ((3, 1), None)
    """
    record = self.samples.find(tag)
    region = region_of(tag) if record is None else record.region
    geometries = self.batch.distinct
    if not all(geometry.has(region) for geometry in geometries):
        return None, None
    sign = 1.0 if record is None else record.normal_sign
    if all(region in geometry.drawable for geometry in geometries) or (record is not None and record.drawn):
        parts = _fresh(self, region, record, geometries)
    else:
        parts = [(geometry.pool(region), geometry.tags[region].normals) for geometry in geometries]
    normals = [outward for _, outward in parts if outward is not None]
    joined = sign * np.concatenate(normals) if len(normals) == len(parts) else None
    return np.concatenate([points for points, _ in parts]), joined


def _fresh(
    domain: DomainView, region: str, record: SampleRecord | None, geometries: tuple[Geometry, ...]
) -> list[PointsAndNormals]:
    """Fresh points of every shape: ten times as many as are in use, at least a thousand."""
    sampled = 100 if record is None else domain.context[record.tag].shape[2]
    sampler = None if record is None else record.shape_sampler
    count = max(10 * sampled, 1000)
    times, stream = None if record is None else record.times, domain.samples.stream
    return [draw_with_times(geometry, region, count, sampler, stream.next(), times) for geometry in geometries]
