"""Checked polygons, their edges as arrays of segments, and the lengths below which two points are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .. import _shapely as shapely
from .._shapely import Shape, is_shapely
from ..mesh import right_unit_normals, segment_lengths

_SHAPE = "vertices must be a sequence of at least three points (x, y)"


def tolerance(geometry: Shape) -> float:
    """Distance within which a point counts as lying on a line of the geometry."""
    if geometry.is_empty:
        return 1e-12
    x0, y0, x1, y1 = geometry.bounds
    return max(1e-12, 1e-8 * max(float(np.hypot(x1 - x0, y1 - y0)), 1.0))


def checked_vertices(name: str, vertices: object) -> Float[np.ndarray, "N 2"]:
    """The vertices of a polygon as an array without the closing vertex."""
    try:
        array = np.asarray(vertices, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"Invalid polygon {name!r}: {_SHAPE}; got {vertices!r}.") from None
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise ValueError(f"Invalid polygon {name!r}: {_SHAPE}; got an array of shape {array.shape}.")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"Invalid polygon {name!r}: the vertices must be finite numbers; got {array.tolist()}.")
    if array.shape[1] == 3 and np.ptp(array[:, 2]) > 1e-12 * max(1.0, float(np.abs(array).max())):
        raise ValueError(
            f"Invalid polygon {name!r}: the vertices must have one constant z; got {array[:, 2].tolist()}."
        )
    array = array[:, :2]
    if len(array) > 1 and np.array_equal(array[0], array[-1]):
        array = array[:-1]
    if len(np.unique(array, axis=0)) < 3:
        raise ValueError(f"Invalid polygon {name!r}: at least three unique vertices are needed; got {array.tolist()}.")
    repeated = np.flatnonzero(np.all(array == np.roll(array, -1, axis=0), axis=1))
    if len(repeated):
        raise ValueError(
            f"Invalid polygon {name!r}: zero-length edge at vertex {int(repeated[0])}; leave out repeated vertices."
        )
    return array


def polygon_from_vertices(name: str, vertices: object) -> tuple[Any, Float[np.ndarray, "E 2 2"]]:
    """A shapely polygon and its edges in the order of the vertices given."""
    array = checked_vertices(name, vertices)
    polygon = shapely.Polygon(array)
    if not polygon.is_valid:
        raise ValueError(
            f"Invalid polygon {name!r}: {shapely.is_valid_reason(polygon)}. The boundary of a polygon may not touch "
            "or cross itself, and its area must be positive."
        )
    if polygon.area <= tolerance(polygon) ** 2:
        raise ValueError(f"Invalid polygon {name!r}: the vertices span zero area.")
    return polygon, np.stack([array, np.roll(array, -1, axis=0)], axis=1)


def checked_area(name: str, geometry: object) -> Any:
    """A valid Polygon or MultiPolygon without a z coordinate."""
    if not is_shapely(geometry):
        raise ValueError(
            f"The region {name!r} must be a shapely Polygon or MultiPolygon, or a list of vertices (x, y); got "
            f"{type(geometry).__name__}."
        )
    if geometry.geom_type not in ("Polygon", "MultiPolygon", "GeometryCollection"):
        raise ValueError(f"The region {name!r} must be a Polygon or MultiPolygon; got a shapely {geometry.geom_type}.")
    flat = shapely.force_2d(geometry)
    if not np.all(np.isfinite(shapely.get_coordinates(flat))):
        raise ValueError(f"Invalid polygon {name!r}: the coordinates must be finite numbers.")
    if not flat.is_valid:
        raise ValueError(f"Invalid polygon {name!r}: {shapely.is_valid_reason(flat)}.")
    return polygonal(flat)


def polygonal(geometry: Shape) -> Any:
    """The part of a shapely geometry that has an area; overlays also leave points and lines behind."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def _line_segments(coordinates: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "E 2 2"]:
    return np.stack([coordinates[:-1], coordinates[1:]], axis=1)


def ring_segments(geometry: Shape) -> Float[np.ndarray, "E 2 2"]:
    """All edges of a polygonal geometry in ring order: the exterior, then the holes, part by part."""
    rings = shapely.get_rings(shapely.get_parts(geometry))
    return segments_of(rings)


def segments_of(lines: Shape) -> Float[np.ndarray, "E 2 2"]:
    """The segments of shapely lines; those of zero length are left out."""
    pieces = [_line_segments(shapely.get_coordinates(line)) for line in np.atleast_1d(np.asarray(lines, dtype=object))]
    segments = np.concatenate(pieces) if pieces else np.zeros((0, 2, 2))
    return segments[segment_lengths(segments) > 0.0]


def undirected(segments: Float[np.ndarray, "E 2 2"]) -> Float[np.ndarray, "K 2 2"]:
    """The segments without repetitions; a segment and its reverse count as one."""
    (x0, y0), (x1, y1) = segments[:, 0].T, segments[:, 1].T
    turned = (x0 > x1) | ((x0 == x1) & (y0 > y1))
    return np.unique(np.where(turned[:, None, None], segments[:, ::-1], segments), axis=0)


def on_segments(
    points: Float[np.ndarray, "N 2"], segments: Float[np.ndarray, "E 2 2"], slack: float
) -> Bool[np.ndarray, " N"]:
    """Which points lie on one of the segments."""
    if not len(segments):
        return np.zeros(len(points), dtype=bool)
    lines = shapely.multilinestrings(shapely.linestrings(segments))
    shapely.prepare(lines)
    return np.asarray(shapely.dwithin(lines, shapely.points(points), slack))


def clip_to(
    area: Shape, segments: Float[np.ndarray, "E 2 2"], slack: float
) -> tuple[Float[np.ndarray, "K 2 2"], np.ndarray]:
    """The parts of segments in a closed area (the whole of a segment where possible), and whose part each is."""
    lines = shapely.linestrings(segments)
    fat = area.buffer(slack, join_style="mitre")
    shapely.prepare(fat)
    covered = np.asarray(shapely.covered_by(lines, fat))
    pieces, owners = [segments[covered]], [np.flatnonzero(covered)]
    for index in np.flatnonzero(~covered & shapely.intersects(lines, fat)):
        cut = [p for p in shapely.get_parts(lines[index].intersection(fat)) if p.geom_type == "LineString"]
        part = segments_of(cut) if cut else np.zeros((0, 2, 2))
        part = _along(segments[index], part[segment_lengths(part) > 10.0 * slack])
        pieces.append(part)
        owners.append(np.full(len(part), index))
    owner = np.concatenate(owners).astype(np.int64)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(pieces)[order], owner[order]


def _along(segment: Float[np.ndarray, "2 2"], parts: Float[np.ndarray, "K 2 2"]) -> Float[np.ndarray, "K 2 2"]:
    """Parts of a segment in its direction, sorted along it."""
    direction = segment[1] - segment[0]
    turned = np.sum((parts[:, 1] - parts[:, 0]) * direction, axis=1) < 0.0
    parts = np.where(turned[:, None, None], parts[:, ::-1], parts)
    return parts[np.argsort(parts[:, 0] @ direction, kind="stable")]


def outward_normals(segments: Float[np.ndarray, "E 2 2"], *areas: Shape) -> Float[np.ndarray, "E 2"]:
    """Unit normals of segments that point out of an area.

    The first of the areas that lies on one side of a segment only decides; where none does, the normal points away from
    the middle of the first.
    """
    if not len(segments):
        return np.zeros((0, 2))
    size, normals = segment_lengths(segments), right_unit_normals(segments)
    middle = segments.mean(axis=1)
    preferred = areas[0]
    centre = np.zeros(2) if preferred.is_empty else shapely.get_coordinates(preferred.representative_point())[0]
    towards = np.sum(normals * (middle - centre), axis=1) < 0.0
    for area in reversed(areas):
        slack = tolerance(area)
        step = np.maximum(np.minimum(1e-3 * size, 100.0 * slack), 0.1 * slack)[:, None]
        shapely.prepare(area)
        right = np.asarray(shapely.contains_xy(area, middle + step * normals))
        left = np.asarray(shapely.contains_xy(area, middle - step * normals))
        towards = np.where(right == left, towards, right)
    return np.where(towards[:, None], -normals, normals)


def checked_segments(tag: str, segments: Sequence[Any] | np.ndarray) -> Float[np.ndarray, "E 2 2"]:
    """A user's segments `(E, 2, 2)`; a third coordinate is dropped, segments of zero length are left out."""
    if not isinstance(segments, (Sequence, np.ndarray)) or isinstance(segments, str):
        raise ValueError(f"The segments of {tag!r} must be pairs of points (E, 2, 2); got {type(segments).__name__}.")
    rows = []
    for number, segment in enumerate(segments):
        try:
            array = np.asarray(segment, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.zeros(0)
        if array.shape not in ((2, 2), (2, 3)) or not np.all(np.isfinite(array)):
            raise ValueError(
                f"Segment {number} of {tag!r} must be two finite points ((x0, y0), (x1, y1)); got {segment!r}."
            )
        rows.append(array[:, :2])
    stacked = np.stack(rows) if rows else np.zeros((0, 2, 2))
    proper = stacked[segment_lengths(stacked) > 0.0]
    if not len(proper):
        raise ValueError(f"The segments of {tag!r} contain none of positive length.")
    return proper


def unique_names(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """The mapping with its keys as strings, which must stay different."""
    names = [str(name) for name in mapping]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"Duplicate region name(s) {repeated}: the names must differ as strings.")
    return dict(zip(names, mapping.values(), strict=True))
