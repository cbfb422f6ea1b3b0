"""Inner boundaries: facets that count as boundary although the mesh continues behind them."""

from __future__ import annotations

from itertools import chain

import numpy as np
from jaxtyping import Bool, Float, Int

from jno.utils import get_logger

from ._mesh import Mesh
from ._topology import facet_frames, used_nodes

# Distances below this share of a facet's size count as none; coordinates in files have six or more digits.
_TOUCHING = 1e-5
# The cosine between the normals of two facets that face each other.
_FACING = -0.999
_NAMES = {1: "points", 2: "edges", 3: "triangles"}


def warn_about_inner_boundaries(mesh: Mesh, origin: str) -> None:
    """Say how many boundary facets have a cell on their outside, and how many nodes are doubled or hang there."""
    facets = mesh.facets[mesh.facet_sets["boundary"]]
    inner = inner_boundary(mesh)
    if not np.any(inner):
        return
    nodes = used_nodes(facets[inner], len(mesh.points))
    doubled, hanging = _doubled_and_hanging(mesh.points, facets[inner], nodes)
    get_logger().warning(
        f"{origin}: {np.sum(inner)} of {len(inner)} boundary {_NAMES[mesh.dimension]} lie inside, between cells that "
        f"do not share them: {doubled} nodes there are doubled (parts that are not glued, or a slit) and {hanging} "
        "hang on the side of another cell; without either, a face is cut along another diagonal by the cell behind it. "
        "They count as boundary; where they should not, merge the nodes and make "
        "the mesh conforming."
    )


def inner_boundary(mesh: Mesh) -> Bool[np.ndarray, " E"]:
    """For every facet of the boundary, whether one that looks the other way touches it.

    Two facets between the same two cells touch where one of them contains the centre of the other.
    """
    boundary = mesh.facet_sets["boundary"]
    facets, opposite = mesh.facets[boundary], mesh.opposite[boundary]
    corners = mesh.points[facets]
    centres = corners.mean(axis=1)
    _, normals = facet_frames(mesh.points, facets, opposite)
    size = _sizes(mesh.points, corners)
    facet, behind = _near(centres, size, centres)
    facing = np.sum(normals[facet] * normals[behind], axis=1) < _FACING
    facet, behind = facet[facing], behind[facing]
    touching = _contains(corners[facet], centres[behind], size[facet])
    inner = np.zeros(len(facets), dtype=bool)
    inner[facet[touching]] = inner[behind[touching]] = True
    return inner


def _sizes(points: Float[np.ndarray, "N D"], corners: Float[np.ndarray, "E W D"]) -> Float[np.ndarray, " E"]:
    """The distance of every facet's farthest corner from its centre; for points, the size of the mesh."""
    if corners.shape[1] == 1:
        return np.full(len(corners), np.ptp(points))
    return np.linalg.norm(corners - corners.mean(axis=1, keepdims=True), axis=2).max(axis=1)


def _near(
    centres: Float[np.ndarray, "E D"], size: Float[np.ndarray, " E"], points: Float[np.ndarray, "N D"]
) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
    """Pairs of a facet and a point in the ball about it."""
    from scipy.spatial import cKDTree

    close = cKDTree(points).query_ball_point(centres, (1.0 + _TOUCHING) * size)
    counts = np.fromiter(map(len, close), dtype=np.int64, count=len(close))
    return np.repeat(np.arange(len(centres)), counts), np.fromiter(chain.from_iterable(close), dtype=np.int64)


def _contains(
    corners: Float[np.ndarray, "K W D"], points: Float[np.ndarray, "K D"], size: Float[np.ndarray, " K"]
) -> Bool[np.ndarray, " K"]:
    """Whether each point lies in its facet, by its barycentric coordinates in it."""
    sides = corners[:, 1:] - corners[:, :1]
    offset = points - corners[:, 0]
    gram = np.einsum("kid,kjd->kij", sides, sides)
    # the pseudo-inverse, for facets that are nearly flat
    shares = np.einsum("kij,kj->ki", np.linalg.pinv(gram, hermitian=True), np.einsum("kid,kd->ki", sides, offset))
    height = np.linalg.norm(offset - np.einsum("ki,kid->kd", shares, sides), axis=1)
    inside = np.all(shares >= -_TOUCHING, axis=1) & (shares.sum(axis=1) <= 1.0 + _TOUCHING)
    return inside & (height <= _TOUCHING * size)


def _doubled_and_hanging(
    points: Float[np.ndarray, "N D"], facets: Int[np.ndarray, "E W"], nodes: Int[np.ndarray, " n"]
) -> tuple[int, int]:
    """How many of the nodes are at the place of another one, and how many inside or on the side of a facet."""
    corners = points[facets]
    size = _sizes(points, corners)
    facet, at = _near(corners.mean(axis=1), size, points[nodes])
    gap = np.linalg.norm(corners[facet] - points[nodes[at]][:, None], axis=2) <= _TOUCHING * size[facet, None]
    same = facets[facet] == nodes[at][:, None]
    doubled = np.unique(at[np.any(gap & ~same, axis=1)])
    touching = _contains(corners[facet], points[nodes[at]], size[facet])
    hanging = np.unique(at[touching & ~np.any(gap, axis=1)])
    return len(doubled), len(np.setdiff1d(hanging, doubled))
