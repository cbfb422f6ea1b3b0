"""Batch rows of points on several polygon domains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jno.utils import is_integral

from ..geometry import Geometry, GeometryBatch, Group, LazyRegions
from ..mesh import Tag
from ..sampling import DomainView, RandomStream


def stacked_batch(
    domains: Sequence[object], n_interior: object, n_boundary: object, stream: RandomStream
) -> GeometryBatch:
    """One point cloud per batch row of the domains, each with its points."""
    counts = {
        "interior": _checked_count("n_interior", n_interior),
        "boundary": _checked_count("n_boundary", n_boundary),
    }
    if not domains:
        raise ValueError("stack() needs at least one polygon domain, e.g. jno.domain.stack(100 * d1, 100 * d2).")
    rows: list[Group] = []
    for number, domain in enumerate(domains):
        lazy, count = _shape_and_rows(number, domain)
        rows += [Group(_row(lazy, counts, stream), 1) for _ in range(count)]
    return GeometryBatch(tuple(rows))


_MOST_POINTS = 100_000_000


def _checked_count(name: str, count: object) -> int:
    if not is_integral(count, 1) or count > _MOST_POINTS:
        raise ValueError(
            f"stack({name}=...) must be a positive integer; got {count!r}."
            if not is_integral(count, 1)
            else f"stack({name}={count}): at most {_MOST_POINTS} points a row."
        )
    return int(count)


def _shape_and_rows(number: int, domain: object) -> tuple[LazyRegions, int]:
    """The shape that an argument of `stack` draws from, and its number of batch rows."""
    lazy = domain.geometry.lazy if isinstance(domain, DomainView) else None
    if lazy is None or not lazy.can_mesh or not isinstance(domain, DomainView):
        raise TypeError(
            f"stack(...) takes polygon domains (jno.domain(shapely geometry or vertices), jno.domain.csg); argument "
            f"{number} is {domain!r}. Merge other domains with +."
        )
    if domain.time is not None:
        raise ValueError(f"stack(...) takes steady domains; argument {number} has time={domain.time}.")
    if "interior" not in lazy.names:
        raise ValueError(f"stack(...): argument {number} is empty; there is nothing to sample.")
    return lazy, domain.total_samples


def _row(lazy: LazyRegions, counts: dict[str, int], stream: RandomStream) -> Geometry:
    drawn = {name: lazy.draw(name, count, None, stream.next())[0] for name, count in counts.items()}
    ends = np.cumsum([len(points) for points in drawn.values()])
    tags = {
        name: Tag(name, np.arange(end - len(points), end))
        for (name, points), end in zip(drawn.items(), ends, strict=True)
    }
    return Geometry(np.concatenate(list(drawn.values())), tags, timeless=True)
