"""The pieces of a curve that belong to the points sampled on it: every point owns what lies nearest along the curve."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from .. import _shapely as shapely
from ._curve import along_curve, right_normals, segment_lengths


@dataclass(frozen=True, eq=False)
class Arcs:
    """Straight pieces in the order of the curve.

    Attributes:
        segments: end points `(S, 2, 2)`; the normal lies to the right of the direction.
        owner: the point that each piece belongs to `(S,)`.
        count: number of points.
    """

    segments: Float[np.ndarray, "S 2 2"]
    owner: Int[np.ndarray, " S"]
    count: int

    @property
    def lengths(self) -> Float[np.ndarray, " S"]:
        """Length of every piece."""
        return segment_lengths(self.segments)

    @property
    def measures(self) -> Float[np.ndarray, " n"]:
        """Length of curve that every point owns."""
        return np.bincount(self.owner, weights=self.lengths, minlength=self.count)

    def reversed(self) -> Arcs:
        """The same pieces seen from the other side."""
        return Arcs(self.segments[::-1, ::-1], self.owner[::-1], self.count)


@dataclass(frozen=True, eq=False)
class _Chains:
    """Segments head to tail; chain `c` begins at segment `heads[c]` and may be closed."""

    segments: Float[np.ndarray, "E 2 2"]
    ends: Float[np.ndarray, " M"]
    heads: Int[np.ndarray, " C"]
    closed: Bool[np.ndarray, " C"]

    @property
    def starts(self) -> Float[np.ndarray, " E"]:
        """Arc length at the beginning of every segment, counted through all chains."""
        return np.concatenate([[0.0], self.ends[:-1]])


def directed(segments: Float[np.ndarray, "E 2 2"], normals: Float[np.ndarray, "E 2"]) -> Float[np.ndarray, "E 2 2"]:
    """The segments with their normals to the right."""
    left = np.sum(right_normals(segments) * normals, axis=1) < 0.0
    return np.where(left[:, None, None], segments[:, ::-1], segments)


def numbered_ends(segments: Float[np.ndarray, "E 2 2"], slack: float) -> Int[np.ndarray, "E 2"]:
    """One number per end point; points nearer than `slack` are one."""
    cells = np.round((segments.reshape(-1, 2) - segments.reshape(-1, 2).min(axis=0)) / (8.0 * slack))
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1, 2)


def _chains(segments: Float[np.ndarray, "E 2 2"], slack: float) -> _Chains:
    ends = numbered_ends(segments, slack)
    order = along_curve(ends)
    segments, ends = segments[order], ends[order]
    heads = np.flatnonzero(np.concatenate([[True], ends[1:, 0] != ends[:-1, 1]]))
    tails = np.append(heads[1:], len(ends)) - 1
    return _Chains(segments, np.cumsum(segment_lengths(segments)), heads, ends[heads, 0] == ends[tails, 1])


def straight_runs(
    segments: Float[np.ndarray, "E 2 2"], normals: Float[np.ndarray, "E 2"], slack: float
) -> Float[np.ndarray, "K 2 2"]:
    """The same curve with as few segments as possible: consecutive ones on a line are joined."""
    chains = _chains(directed(segments, normals), slack)
    limits = np.append(chains.heads, len(chains.segments))
    runs = []
    for (begin, end), closed in zip(pairwise(limits), chains.closed, strict=True):
        part = chains.segments[begin:end]
        edge = part[:, 1] - part[:, 0]
        unit = edge / np.linalg.norm(edge, axis=1, keepdims=True)
        before = np.roll(unit, 1, axis=0)
        turns = np.abs(unit[:, 0] * before[:, 1] - unit[:, 1] * before[:, 0]) > 1e-9
        turns |= np.sum(unit * before, axis=1) < 0.0
        if closed:  # begin at a corner
            shift = int(np.argmax(turns))
            part, turns = np.roll(part, -shift, axis=0), np.roll(turns, -shift)
        turns[0] = True
        corners = np.flatnonzero(turns)
        ends = np.append(corners[1:], len(part)) - 1
        runs.append(np.stack([part[corners, 0], part[ends, 1]], axis=1))
    return np.concatenate(runs)


def _positions(points: Float[np.ndarray, "n 2"], chains: _Chains) -> Float[np.ndarray, " n"]:
    """Arc length of every point."""
    segment = shapely.STRtree(shapely.linestrings(chains.segments)).nearest(shapely.points(points))
    start, stop = chains.segments[segment, 0], chains.segments[segment, 1]
    along = stop - start
    share = np.clip(np.sum((points - start) * along, axis=1) / np.sum(along**2, axis=1), 0.0, 1.0)
    return chains.starts[segment] + share * np.linalg.norm(along, axis=1)


def arcs_of(
    tag: str,
    points: Float[np.ndarray, "n 2"],
    segments: Float[np.ndarray, "E 2 2"],
    normals: Float[np.ndarray, "E 2"],
    slack: float,
) -> Arcs:
    """The pieces of a curve (segments with a normal each) between the midpoints of neighbouring points on it."""
    chains = _chains(directed(segments, normals), slack)
    place = _positions(points, chains)
    cuts, owners = [], []
    limits = np.append(chains.starts[chains.heads], chains.ends[-1])
    for number, (begin, end) in enumerate(pairwise(limits)):
        is_last = number == len(chains.heads) - 1
        mine = np.flatnonzero((place >= begin) & ((place < end) | is_last))
        if not len(mine):
            raise ValueError(
                f"No point of {tag!r} lies on one of the {len(chains.heads)} separate parts of its curve, so a view "
                "factor would miss it; sample more points, or give the parts tags of their own."
            )
        mine = mine[np.argsort(place[mine], kind="stable")]
        middle = (place[mine][:-1] + place[mine][1:]) / 2.0
        if not chains.closed[number]:
            cuts.append(np.concatenate([[begin], middle]))
            owners.append(mine)
            continue
        wrap = (place[mine[-1]] + place[mine[0]] + end - begin) / 2.0
        if wrap >= end:  # the first point's piece begins before its chain does
            cuts.append(np.concatenate([[begin, wrap - (end - begin)], middle]))
            owners.append(np.concatenate([mine[-1:], mine]))
        else:
            cuts.append(np.concatenate([[begin], middle, [wrap]]))
            owners.append(np.concatenate([mine, mine[:1]]))
    return _pieces(chains, np.concatenate(cuts), np.concatenate(owners), len(points), slack)


def _pieces(
    chains: _Chains, cuts: Float[np.ndarray, " K"], owners: Int[np.ndarray, " K"], count: int, slack: float
) -> Arcs:
    """The segments cut where the owner changes."""
    marks = np.unique(np.concatenate([chains.starts, cuts, chains.ends[-1:]]))
    start, stop = marks[:-1], marks[1:]
    middle = (start + stop) / 2.0
    proper = stop - start > slack
    segment = np.minimum(np.searchsorted(chains.ends, middle, side="right"), len(chains.ends) - 1)[proper]
    owner = owners[np.searchsorted(cuts, middle, side="right") - 1][proper]
    origin, along = chains.segments[segment, 0], chains.segments[segment, 1] - chains.segments[segment, 0]
    length = np.linalg.norm(along, axis=1)
    shares = (np.stack([start[proper], stop[proper]], axis=1) - chains.starts[segment][:, None]) / length[:, None]
    shares = np.clip(shares, 0.0, 1.0)
    return Arcs(origin[:, None] + shares[:, :, None] * along[:, None], owner, count)
