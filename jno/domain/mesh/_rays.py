"""Which straight rays in the plane are blocked.

Rays that start at one point are a fan. A blocker covers an interval of directions of the fan, so rays sorted by
direction give the few that it can hit; only these are tested.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

# Fans times blockers, and rays times blockers, looked at at once: arrays that stay in the cache.
_AT_ONCE = 100_000
# Bins of directions per ray of a fan (at least for one ray), and most per fan; with fewer, more rays that pass by a
# blocker are tested.
_BINS, _MOST_BINS = 32, 4096
# Radians by which the directions of a blocker are widened for rounding.
_ROUNDING = 1e-9
_TURN = 2.0 * np.pi

RayEnds = Float[np.ndarray, "M 2"]
Blockers = Float[np.ndarray, "K 2 2"]


def blocked(starts: RayEnds, stops: RayEnds, blockers: Blockers, slack: float) -> Bool[np.ndarray, " M"]:
    """Whether a segment crosses or touches a blocker farther than `slack` from its own ends."""
    result = np.zeros(len(starts), dtype=bool)
    for ray, blocker in candidates(starts, stops, blockers, np.zeros(len(starts)), slack):
        hit = crosses(starts[ray], stops[ray], blockers[blocker], slack)
        result[ray[hit]] = True
    return result


def candidates(
    starts: RayEnds, stops: RayEnds, blockers: Blockers, reach: Float[np.ndarray, " M"], slack: float
) -> Iterator[tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]]:
    """Rays and blockers that may come nearer to each other than `reach`, as pairs of positions, in parts.

    Every such pair comes at least once, except that a ray without reach does not cross what it starts on. A segment
    between two points within `reach` of the ends of a ray stays within `reach` of the ray, so its blockers are among
    those of the ray.
    """
    if not len(starts) or not len(blockers):
        return
    _, origins, fan = np.unique(starts[:, 0] + 1j * starts[:, 1], return_index=True, return_inverse=True)
    widest = np.zeros(len(origins))
    np.maximum.at(widest, fan, reach)
    towards = stops - starts
    turn = np.arctan2(towards[:, 1], towards[:, 0]) / _TURN + 0.5
    bins = int(np.clip(_BINS * len(starts) // len(origins), _BINS, _MOST_BINS))
    place = fan * bins + np.minimum((turn * bins).astype(int), bins - 1)
    order = np.argsort(place, kind="stable")
    place = place[order]
    at_once = max(1, _AT_ONCE // max(len(blockers), bins))
    for begin in range(0, len(origins), at_once):
        part = slice(begin, begin + at_once)
        low, high = _directions(starts[origins[part]], blockers, widest[part, None], slack)
        count = len(low) * bins
        rays = slice(*np.searchsorted(place, [begin * bins, begin * bins + count]))
        filled = np.bincount(place[rays] - begin * bins, minlength=count)
        begins = np.concatenate([[0], np.cumsum(filled)])
        for interval, left, right in _bins(low, high, bins):
            row, blocker = np.divmod(interval, len(blockers))
            yield from _pairs(order[rays], begins[row * bins + left], begins[row * bins + right + 1], blocker)


def _directions(
    origins: Float[np.ndarray, "G 2"], blockers: Blockers, reach: Float[np.ndarray, "G 1"], slack: float
) -> tuple[Float[np.ndarray, "G K"], Float[np.ndarray, "G K"]]:
    """Ends of the interval of directions in which blockers are seen, widened by `reach` and `slack`; in turns."""
    x0, y0 = (blockers[:, 0, axis] - origins[:, axis, None] for axis in (0, 1))
    x1, y1 = (blockers[:, 1, axis] - origins[:, axis, None] for axis in (0, 1))
    edge_x, edge_y = (blockers[:, 1] - blockers[:, 0]).T
    cross, square = x0 * y1 - y0 * x1, edge_x**2 + edge_y**2
    along = -(x0 * edge_x + y0 * edge_y)
    beside = (along > 0.0) & (along < square)
    distance = np.sqrt(np.where(beside, cross**2 / square, np.minimum(x0**2 + y0**2, x1**2 + y1**2)))
    near = distance <= reach + slack
    widened = np.arcsin((reach + slack) / np.where(near, np.inf, distance)) + _ROUNDING
    start, turn = np.arctan2(y0, x0), np.arctan2(cross, x0 * x1 + y0 * y1)
    half_turn = np.where(reach > 0.0, np.pi, -np.pi)  # or nothing
    low = np.where(near, -half_turn, start + np.minimum(turn, 0.0) - widened)
    high = np.where(near, half_turn, start + np.maximum(turn, 0.0) + widened)
    return low / _TURN + 0.5, high / _TURN + 0.5


def _bins(
    low: Float[np.ndarray, "G K"], high: Float[np.ndarray, "G K"], bins: int
) -> Iterator[tuple[Int[np.ndarray, " I"], Int[np.ndarray, " I"], Int[np.ndarray, " I"]]]:
    """Positions of intervals, with their first and last bin of a turn; those that go over its ends come twice."""
    left, right = (np.floor(end * bins).astype(int).reshape(-1) for end in (low, high))
    yield np.arange(len(left)), np.clip(left, 0, bins - 1), np.clip(right, 0, bins - 1)
    below, above = np.flatnonzero(left < 0), np.flatnonzero(right >= bins)
    yield below, np.maximum(left[below] + bins, 0), np.full(len(below), bins - 1)
    yield above, np.zeros(len(above), dtype=int), np.minimum(right[above] - bins, bins - 1)


def _pairs(
    order: Int[np.ndarray, " M"],
    left: Int[np.ndarray, " I"],
    right: Int[np.ndarray, " I"],
    blocker: Int[np.ndarray, " I"],
) -> Iterator[tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]]:
    """Every ray at the places from `left` to `right` with the blocker, in parts."""
    some = np.flatnonzero(right > left)
    left, count, blocker = left[some], (right - left)[some], blocker[some]
    ends = np.cumsum(count)
    begin = 0
    while begin < len(count):
        done = ends[begin] - count[begin]
        end = max(begin + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
        part = slice(begin, end)
        shift = np.repeat(left[part] - (ends[part] - count[part] - done), count[part])
        yield order[np.arange(len(shift)) + shift], np.repeat(blocker[part], count[part])
        begin = end


def crosses(
    starts: Float[np.ndarray, "*#P 2"],
    stops: Float[np.ndarray, "*#P 2"],
    blockers: Float[np.ndarray, "*#P 2 2"],
    slack: float,
) -> Bool[np.ndarray, "*P"]:
    """Whether each segment crosses or touches its blocker farther than `slack` from its own ends."""
    ray_x, ray_y = (stops[..., axis] - starts[..., axis] for axis in (0, 1))
    edge_x, edge_y = (blockers[..., 1, axis] - blockers[..., 0, axis] for axis in (0, 1))
    gap_x, gap_y = (blockers[..., 0, axis] - starts[..., axis] for axis in (0, 1))
    ray, edge = np.sqrt(ray_x**2 + ray_y**2), np.sqrt(edge_x**2 + edge_y**2)
    cross = ray_x * edge_y - ray_y * edge_x
    # parallel ones do not cross; they are judged by the edges at their ends
    parallel = np.abs(cross) <= 1e-12 * ray * edge
    cross = np.where(parallel, 1.0, cross)
    along_ray = (gap_x * edge_y - gap_y * edge_x) / cross
    along_edge = (gap_x * ray_y - gap_y * ray_x) / cross
    margin, reach = slack / np.maximum(ray, slack), slack / edge
    hit = (along_ray > margin) & (along_ray < 1.0 - margin) & (along_edge >= -reach) & (along_edge <= 1.0 + reach)
    return hit & ~parallel
