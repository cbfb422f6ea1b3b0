"""The part of a region in which a predicate holds: points are drawn by rejection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ..mesh import evaluate_predicate
from ._drawable import DrawableRegion, PointsAndNormals
from ._samplers import unit_points

# Rejection gives up when fewer than one in this many points is accepted.
_HOPELESS = 1_000_000
_BATCH = 1024


@dataclass(frozen=True, eq=False)
class SelectedPart(DrawableRegion):
    """The part of another region in which a predicate holds.

    Attributes:
        name: its tag.
        parent: the region.
        where: the predicate.
        is_boundary: whether its points have normals.
    """

    name: str
    parent: DrawableRegion
    where: Callable[..., Any]
    is_boundary: bool

    @property
    def coordinates(self) -> int:  # type: ignore[override]
        return self.parent.coordinates

    def share(self, probes: int = 20_000) -> float:
        """Fraction of the parent that is selected, estimated from fixed points."""
        points, _ = self.parent.draw(probes, None, np.random.default_rng(0))
        return float(np.mean(evaluate_predicate(self.name, self.where, points)))

    def place(self, unit: Float[np.ndarray, "n K"]) -> PointsAndNormals:
        points, normals = self.parent.place(unit)
        inside = evaluate_predicate(self.name, self.where, points)
        return points[inside], None if normals is None else normals[inside]

    def draw(self, count: int, sampler: str | None, generator: np.random.Generator) -> PointsAndNormals:
        """Rejection: points of the parent, kept where the predicate holds."""
        if sampler not in (None, "uniform"):
            raise ValueError(
                f"The tag {self.name!r} is a region given by a predicate; its points are drawn uniformly by rejection. "
                f"Leave out the sampler {sampler!r}, or give the region as a shapely geometry."
            )
        accepted_points, normals, accepted, tried = [], [], 0, 0
        while accepted < count:
            rate = max(accepted / tried, 1e-3) if tried else 1.0
            batch = int(np.clip((count - accepted) / rate, _BATCH, 4_000_000))
            points, directions = self.place(unit_points(sampler, batch, self.coordinates, generator))
            accepted_points.append(points)
            normals.append(directions)
            accepted, tried = accepted + len(points), tried + batch
            if tried > _HOPELESS * max(accepted, 1):
                raise ValueError(
                    f"The tag {self.name!r} selects less than a millionth of its region, so that points cannot be "
                    "drawn from it; widen where=, or give the region as a shapely geometry."
                )
        accepted_normals = [part for part in normals if part is not None]
        return np.concatenate(accepted_points)[:count], np.concatenate(accepted_normals)[
            :count
        ] if self.is_boundary else None
