"""Boundary tags of the plane as curves, and everything that stands in the way of rays."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from .. import _shapely as shapely
from .._shapely import Shape
from ..geometry import Geometry
from ..mesh import Arcs, arcs_of, right_unit_normals, segment_lengths, straight_runs
from ..sampling import SampleRecord


def surface(geometry: Geometry, record: SampleRecord, points: Float[np.ndarray, "n 2"]) -> Arcs:
    """The pieces of a boundary tag that belong to its points, with the sampled normals to the right."""
    edges = geometry.facets_of(record.region)
    arcs = arcs_of(record.tag, points, edges.corners, edges.normals, geometry.slack)
    return arcs.reversed() if record.reverse_normals else arcs


def walls(geometry: Geometry, opaque: tuple[str, ...] = ()) -> Float[np.ndarray, "K 2 2"]:
    """All boundary segments, straight runs joined, and those of further tags."""
    if geometry.lazy is not None:
        return geometry.lazy.walls()
    boundaries = [geometry.facets_of(name) for name in ("boundary", *opaque)]
    return np.concatenate([straight_runs(edges.corners, edges.normals, geometry.slack) for edges in boundaries])


def facing_medium(arcs: Arcs, medium: Shape, slack: float) -> Arcs:
    """The pieces turned so that the medium lies to their right; pieces that do not touch it are dropped."""
    right, left = _beside(arcs.segments, medium, slack)
    turned = left & ~right
    segments = np.where(turned[:, None, None], arcs.segments[:, ::-1], arcs.segments)
    touching = left | right
    return Arcs(segments[touching], arcs.owner[touching], arcs.count)


def without_windows(segments: Float[np.ndarray, "K 2 2"], medium: Shape, slack: float) -> Float[np.ndarray, "J 2 2"]:
    """Edges of regions that are walls: those inside of the medium are not."""
    right, left = _beside(segments, medium, slack)
    return segments[~(right & left)]


def _beside(
    segments: Float[np.ndarray, "K 2 2"], medium: Shape, slack: float
) -> tuple[Bool[np.ndarray, " K"], Bool[np.ndarray, " K"]]:
    """Whether the medium lies to the right and to the left of every segment."""
    length = segment_lengths(segments)[:, None]
    step = np.maximum(1e-3 * length, 10.0 * slack) * right_unit_normals(segments)
    middle = segments.mean(axis=1)
    shapely.prepare(medium)
    return np.asarray(shapely.contains_xy(medium, middle + step)), np.asarray(
        shapely.contains_xy(medium, middle - step)
    )
