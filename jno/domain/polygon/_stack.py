"""Batch rows of points on several polygon domains."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from ..geometry._geometry import Geometry
from ..geometry._lazy import LazyRegions
from ..geometry._merge import Group
from ..mesh._tags import Tag
from ..sampling._sampling import RandomStream


def stacked_groups(
    domains: tuple[Any, ...], n_interior: Any, n_boundary: Any, stream: RandomStream
) -> tuple[Group, ...]:
    """One point cloud per batch row of the domains, each with points of its own."""
    counts = {
        "interior": _checked_count("n_interior", n_interior),
        "boundary": _checked_count("n_boundary", n_boundary),
    }
    if not domains:
        raise ValueError("stack() needs at least one polygon domain, e.g. jno.domain.stack(100 * d1, 100 * d2).")
    rows = []
    for number, entry in enumerate(domains):
        lazy = _shape_of(number, entry)
        rows += [Group(_row(lazy, counts, stream), 1) for _ in range(entry.total_samples)]
    return tuple(rows)


def _checked_count(name: str, count: Any) -> int:
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
        raise ValueError(f"stack({name}=...) must be a positive integer; got {count!r}.")
    return int(count)


def _shape_of(number: int, entry: Any) -> LazyRegions:
    lazy = entry._geometry.lazy if type(entry).__module__ == "jno.domain" else None
    if lazy is None:
        raise TypeError(
            f"stack(...) takes polygon domains (jno.domain(shapely geometry or vertices), jno.domain.csg); argument "
            f"{number} is {entry!r}. Merge other domains with +."
        )
    if entry.time is not None:
        raise ValueError(f"stack(...) takes steady domains; argument {number} has time={entry.time}.")
    if "interior" not in lazy.names:
        raise ValueError(f"stack(...): argument {number} is empty; there is nothing to sample.")
    return lazy


def _row(lazy: LazyRegions, counts: dict[str, int], stream: RandomStream) -> Geometry:
    drawn = {name: lazy.draw(name, count, None, stream.next())[0] for name, count in counts.items()}
    ends = np.cumsum([len(points) for points in drawn.values()])
    tags = {
        name: Tag(name, np.arange(end - len(points), end))
        for (name, points), end in zip(drawn.items(), ends, strict=True)
    }
    return Geometry(np.concatenate(list(drawn.values())), tags, timeless=True)
