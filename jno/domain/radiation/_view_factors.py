"""Diffuse view factors between straight pieces of curves in the plane.

Two pieces that see each other completely exchange half of the difference between the crossed and the uncrossed strings
stretched between their ends (H. C. Hottel, A. F. Sarofim, "Radiative Transfer", 1967), which is exact. Pieces that see
each other in part because one lies partly behind the other are cut first, which is exact as well. What stands between
two pieces is found with rays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8

from ..mesh import Arcs, Blockers, blocked, candidates, crosses

# Pairs of pieces, and rays times blockers, looked at at once.
_AT_ONCE = 100_000
# Rays per piece and side where two pieces see each other in part.
_FINE = 6
# Whether the middles of two pieces see each other; not seen: one of them faces away.
_UNSEEN, _HIDDEN, _FREE = -1, 0, 1


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


def exchange(source: Arcs, target: Arcs, blockers: Blockers, slack: float) -> Exchange:
    """Exchange between two curves, each seen from its right-hand side."""
    values, state = _whole_pieces(source.segments, target.segments, blockers, slack)
    if len(blockers):
        values *= state == _FREE
        _refine(values, state, source.segments, target.segments, blockers, slack)
    shape = (source.count, target.count)
    areas, visible = np.zeros(shape), np.zeros(shape, dtype=bool)
    for part in _rows(*values.shape):
        index = np.add.outer(source.owner[part] * shape[1], target.owner)
        weights = values[part].reshape(-1)
        areas += np.bincount(index.reshape(-1), weights=weights, minlength=areas.size).reshape(shape)
        visible.reshape(-1)[index[values[part] > 0.0]] = True
    return Exchange(areas, visible)


def _rows(count: int, width: int) -> Iterator[slice]:
    rows = max(1, _AT_ONCE // max(width, 1))
    for begin in range(0, count, rows):
        yield slice(begin, min(begin + rows, count))


def _whole_pieces(
    sources: Float[np.ndarray, "P 2 2"], targets: Float[np.ndarray, "Q 2 2"], blockers: Blockers, slack: float
) -> tuple[Float[np.ndarray, "P Q"], Int8[np.ndarray, "P Q"]]:
    """What pieces exchange when nothing is in between, and whether the ray between their middles arrives."""
    values = np.zeros((len(sources), len(targets)))
    state = np.full(values.shape, _UNSEEN, dtype=np.int8)
    for part in _rows(*values.shape):
        source, target = sources[part, None], targets[None]
        front, seen = _in_front_of(source, target, slack)
        back, sees = _in_front_of(target, source, slack)
        strings = _strings(back, front)
        i, j = np.nonzero(seen & sees & (strings > slack**2))
        values[i + part.start, j] = strings[i, j]
        hidden = blocked(back[i, j].mean(axis=1), front[i, j].mean(axis=1), blockers, slack)
        state[i + part.start, j] = np.where(hidden, _HIDDEN, _FREE)
    return values, state


def _refine(
    values: Float[np.ndarray, "P Q"],
    state: Int8[np.ndarray, "P Q"],
    sources: Float[np.ndarray, "P 2 2"],
    targets: Float[np.ndarray, "Q 2 2"],
    blockers: Blockers,
    slack: float,
) -> None:
    """Put in the values of pairs of pieces that may see each other in part.

    One ray between the middles tells for most pairs. Those whose neighbours along the curves see differently are looked
    at with a grid of rays.
    """
    i, j = np.nonzero(_mixed(state))
    for part in _rows(len(i), _FINE**2):
        source, target = sources[i[part]], targets[j[part]]
        front, _ = _in_front_of(source, target, slack)
        back, _ = _in_front_of(target, source, slack)
        values[i[part], j[part]] = _strings(back, front) * _share(back, front, blockers, slack)


def _mixed(state: Int8[np.ndarray, "P Q"]) -> Bool[np.ndarray, "P Q"]:
    """Pairs beside pairs that see differently; the last piece of a curve is beside its first one."""
    mixed = np.zeros(state.shape, dtype=bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            beside = np.roll(state, (down, right), axis=(0, 1))
            mixed |= (beside != _UNSEEN) & (beside != state)
    return mixed & (state != _UNSEEN)


def _in_front_of(
    wall: Float[np.ndarray, "*#M 2 2"], piece: Float[np.ndarray, "*#M 2 2"], slack: float
) -> tuple[Float[np.ndarray, "*M 2 2"], Bool[np.ndarray, "*M"]]:
    """The part of the other piece on the right-hand side of a wall, and whether there is any."""
    along_x, along_y = (wall[..., 1, axis] - wall[..., 0, axis] for axis in (0, 1))
    length = np.sqrt(along_x**2 + along_y**2)
    low, high = (
        ((piece[..., e, 0] - wall[..., 0, 0]) * along_y - (piece[..., e, 1] - wall[..., 0, 1]) * along_x) / length
        for e in (0, 1)
    )
    crossing = np.clip(low / np.where(low == high, 1.0, low - high), 0.0, 1.0)
    begin = np.where(low < 0.0, crossing, 0.0)
    end = np.where(high < 0.0, crossing, 1.0)
    along = piece[..., 1, :] - piece[..., 0, :]
    part = piece[..., :1, :] + np.stack([begin, end], axis=-1)[..., None] * along[..., None, :]
    return part, (np.maximum(low, high) > slack) & (end > begin)


def _strings(source: Float[np.ndarray, "*M 2 2"], target: Float[np.ndarray, "*M 2 2"]) -> Float[np.ndarray, "*M"]:
    """Half of the crossed minus the uncrossed strings, never negative."""

    def string(a: int, b: int) -> np.ndarray:
        # faster than np.hypot, whose care for overflow is not needed here
        return np.sqrt((source[..., a, 0] - target[..., b, 0]) ** 2 + (source[..., a, 1] - target[..., b, 1]) ** 2)

    return np.maximum((string(0, 0) + string(1, 1) - string(0, 1) - string(1, 0)) / 2.0, 0.0)


def _share(
    source: Float[np.ndarray, "M 2 2"], target: Float[np.ndarray, "M 2 2"], blockers: Blockers, slack: float
) -> Float[np.ndarray, " M"]:
    """Which part of the rays of a grid between two pieces arrives."""
    steps = ((np.arange(_FINE) + 0.5) / _FINE)[None, :, None]
    starts = source[:, :1] + steps * (source[:, 1:] - source[:, :1])
    stops = target[:, :1] + steps * (target[:, 1:] - target[:, :1])
    hidden = np.zeros((len(source), _FINE, _FINE), dtype=bool)
    # all rays between two pieces stay within half the length of the longer one of the ray between their middles
    longer = np.maximum(*(np.linalg.norm(piece[:, 1] - piece[:, 0], axis=1) for piece in (source, target)))
    for pair, blocker in candidates(source.mean(axis=1), target.mean(axis=1), blockers, longer / 2.0, slack):
        hit = crosses(starts[pair][:, :, None], stops[pair][:, None], blockers[blocker][:, None, None], slack)
        np.logical_or.at(hidden, pair, hit)
    return 1.0 - hidden.reshape(len(source), -1).mean(axis=1)
