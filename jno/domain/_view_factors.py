"""Diffuse view factors between straight pieces of curves in the plane.

Two pieces that see each other completely exchange half of the difference between the crossed and the uncrossed strings
stretched between their ends (H. C. Hottel, A. F. Sarofim, "Radiative Transfer", 1967), which is exact. Pieces that see
each other in part because one lies partly behind the other are cut first, which is exact as well. What stands between
two pieces is found with rays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ._arcs import Arcs

# Rays times blockers tested at once: some ten arrays of this many numbers.
_AT_ONCE = 2_000_000
# Rays per piece and side where two pieces see each other in part.
_FINE = 6


@dataclass(frozen=True, eq=False)
class Exchange:
    """What the pieces of two curves exchange.

    Attributes:
        areas: length of the source times the view factor from it to the target, `(Na, Nb)`, summed over the pieces of
            every point; the same in both directions.
        visible: whether any part of the one sees any part of the other `(Na, Nb)`.
    """

    areas: Float[np.ndarray, "Na Nb"]
    visible: Bool[np.ndarray, "Na Nb"]


def exchange(first: Arcs, second: Arcs, blockers: Float[np.ndarray, "K 2 2"], slack: float) -> Exchange:
    """Exchange between two curves, each seen from its right-hand side."""
    shape = (first.count, second.count)
    areas, visible = np.zeros(shape), np.zeros(shape, dtype=bool)
    rows = max(1, _AT_ONCE // max(len(second.segments), 1))
    for begin in range(0, len(first.segments), rows):
        part = slice(begin, min(begin + rows, len(first.segments)))
        values = _block(first.segments[part], second.segments, blockers, slack)
        index = np.add.outer(first.owner[part] * shape[1], second.owner)
        areas += np.bincount(index.reshape(-1), weights=values.reshape(-1), minlength=areas.size).reshape(shape)
        visible.reshape(-1)[index[values > 0.0]] = True
    return Exchange(areas, visible)


def _block(
    first: Float[np.ndarray, "P 2 2"],
    second: Float[np.ndarray, "Q 2 2"],
    blockers: Float[np.ndarray, "K 2 2"],
    slack: float,
) -> Float[np.ndarray, "P Q"]:
    one = np.broadcast_to(first[:, None], (len(first), len(second), 2, 2))
    other = np.broadcast_to(second[None], (len(first), len(second), 2, 2))
    front, seen = _in_front_of(one, other, slack)
    back, sees = _in_front_of(other, one, slack)
    values = np.where(seen & sees, _strings(back, front), 0.0)
    values = np.where(values > slack**2, values, 0.0)
    pairs = np.argwhere(values > 0.0)
    if not len(blockers) or not len(pairs):
        return values
    i, j = pairs.T
    share = _shares(back[i, j], front[i, j], pairs, values.shape, blockers, slack)
    values[i, j] *= share
    return values


def _in_front_of(
    wall: Float[np.ndarray, "P Q 2 2"], other: Float[np.ndarray, "P Q 2 2"], slack: float
) -> tuple[Float[np.ndarray, "P Q 2 2"], Bool[np.ndarray, "P Q"]]:
    """The part of the other piece on the right-hand side of a wall, and whether there is any."""
    edge = wall[..., 1, :] - wall[..., 0, :]
    length = np.linalg.norm(edge, axis=-1, keepdims=True)
    towards = np.stack([edge[..., 1], -edge[..., 0]], axis=-1) / length
    height = np.einsum("pqed,pqd->pqe", other - wall[..., :1, :], towards)
    low, high = height[..., 0], height[..., 1]
    crossing = np.clip(low / np.where(low == high, 1.0, low - high), 0.0, 1.0)
    begin = np.where(low < 0.0, crossing, 0.0)
    end = np.where(high < 0.0, crossing, 1.0)
    along = other[..., 1, :] - other[..., 0, :]
    part = other[..., :1, :] + np.stack([begin, end], axis=-1)[..., None] * along[..., None, :]
    return part, (np.maximum(low, high) > slack) & (end > begin)


def _strings(one: Float[np.ndarray, "P Q 2 2"], other: Float[np.ndarray, "P Q 2 2"]) -> Float[np.ndarray, "P Q"]:
    """Half of the crossed minus the uncrossed strings, never negative."""

    def string(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(one[..., a, :] - other[..., b, :], axis=-1)

    return np.maximum((string(0, 0) + string(1, 1) - string(0, 1) - string(1, 0)) / 2.0, 0.0)


# -- occlusion ----
def _shares(
    one: Float[np.ndarray, "M 2 2"],
    other: Float[np.ndarray, "M 2 2"],
    pairs: Int[np.ndarray, "M 2"],
    shape: tuple[int, int],
    blockers: Float[np.ndarray, "K 2 2"],
    slack: float,
) -> Float[np.ndarray, " M"]:
    """Which part of the rays between two pieces arrives.

    One ray between the middles tells for most pairs. Those whose neighbours along the curves see differently are looked
    at with a grid of rays.
    """
    free = ~blocked(one.mean(axis=1), other.mean(axis=1), blockers, slack)
    if np.all(free):
        return np.ones(len(pairs))
    state = np.full((shape[0] + 2, shape[1] + 2), -1, dtype=np.int8)
    state[pairs[:, 0] + 1, pairs[:, 1] + 1] = free
    here = state[1:-1, 1:-1]
    mixed = np.zeros(shape, dtype=bool)
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            beside = state[down : down + shape[0], right : right + shape[1]]
            mixed |= (beside >= 0) & (beside != here)
    share = free.astype(np.float64)
    fine = np.flatnonzero(mixed[pairs[:, 0], pairs[:, 1]])
    for begin in range(0, len(fine), max(1, _AT_ONCE // _FINE**2)):
        chosen = fine[begin : begin + max(1, _AT_ONCE // _FINE**2)]
        share[chosen] = _fine_share(one[chosen], other[chosen], blockers, slack)
    return share


def _fine_share(
    one: Float[np.ndarray, "M 2 2"],
    other: Float[np.ndarray, "M 2 2"],
    blockers: Float[np.ndarray, "K 2 2"],
    slack: float,
) -> Float[np.ndarray, " M"]:
    steps = ((np.arange(_FINE) + 0.5) / _FINE)[None, :, None]
    starts = one[:, :1] + steps * (one[:, 1:] - one[:, :1])
    stops = other[:, :1] + steps * (other[:, 1:] - other[:, :1])
    shape = (len(one), _FINE, _FINE, 2)
    begin = np.broadcast_to(starts[:, :, None], shape).reshape(-1, 2)
    end = np.broadcast_to(stops[:, None], shape).reshape(-1, 2)
    return 1.0 - blocked(begin, end, blockers, slack).reshape(len(one), -1).mean(axis=1)


def blocked(
    starts: Float[np.ndarray, "M 2"],
    stops: Float[np.ndarray, "M 2"],
    blockers: Float[np.ndarray, "K 2 2"],
    slack: float,
) -> Bool[np.ndarray, " M"]:
    """Whether a segment crosses or touches a blocker farther than `slack` from its own ends."""
    result = np.zeros(len(starts), dtype=bool)
    at_once = max(1, _AT_ONCE // max(len(blockers), 1))
    for begin in range(0, len(starts), at_once):
        part = slice(begin, begin + at_once)
        result[part] = _blocked(starts[part], stops[part], blockers, slack)
    return result


def _blocked(
    starts: Float[np.ndarray, "M 2"],
    stops: Float[np.ndarray, "M 2"],
    blockers: Float[np.ndarray, "K 2 2"],
    slack: float,
) -> Bool[np.ndarray, " M"]:
    ray, edge = stops - starts, blockers[:, 1] - blockers[:, 0]
    cross = np.multiply.outer(ray[:, 0], edge[:, 1]) - np.multiply.outer(ray[:, 1], edge[:, 0])
    # parallel ones do not cross; they are judged by the edges at their ends
    scale = np.multiply.outer(np.linalg.norm(ray, axis=1), np.linalg.norm(edge, axis=1))
    parallel = np.abs(cross) <= 1e-12 * scale
    cross = np.where(parallel, 1.0, cross)
    gap_x = blockers[:, 0, 0] - starts[:, :1]
    gap_y = blockers[:, 0, 1] - starts[:, 1:]
    along_ray = (gap_x * edge[:, 1] - gap_y * edge[:, 0]) / cross
    along_edge = (gap_x * ray[:, 1:] - gap_y * ray[:, :1]) / cross
    margin = slack / np.maximum(np.linalg.norm(ray, axis=1), slack)[:, None]
    reach = slack / np.linalg.norm(edge, axis=1)
    hit = (along_ray > margin) & (along_ray < 1.0 - margin) & (along_edge >= -reach) & (along_edge <= 1.0 + reach)
    return np.any(hit & ~parallel, axis=1)
