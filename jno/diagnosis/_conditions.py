"""Which terms are conditions, where they hold, and places along the boundary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from jno.compiler import models_of, spatial_tags
from jno.domain import domain as Domain
from jno.domain.geometry import Geometry
from jno.trace import Derivative, Node, walk
from jno.training import TrainingView

from ._unknowns import Unknown

INITIAL = "initial"
_MOST_PLACES = 400
_GAP = 0.05
"""Distance to the next point, as a part of the diameter, at which a place of the boundary may count as missed."""


class Conditions:
    """The terms of a problem, told apart by where their points are.

    Args:
        view: the training.
    """

    def __init__(self, view: TrainingView) -> None:
        self._view = view
        self._domain = view.program.domain
        self.terms: Sequence[Node] = view.program.expressions

    @property
    def domain(self) -> Domain:
        """The domain of the problem."""
        return self._domain

    @property
    def has_data(self) -> bool:
        """Whether a term gives values inside the domain: measurements stand for conditions."""
        return any(not _derives(term) and bool(self._inner_tags(term)) for term in self.terms)

    @property
    def has_beginning(self) -> bool:
        """Whether a term has points at a fixed time."""
        return any(self._is_beginning(tag) for term in self.terms for tag in spatial_tags([term]))

    def on_boundary(self, unknown: Unknown) -> list[str]:
        """The tags of the boundary of every term with a network of an unknown, one after the other."""
        models = set(models_of([unknown.expression]))
        terms = [term for term in self.terms if models & set(models_of([term]))]
        return [tag for term in terms for tag in spatial_tags([term]) if self._is_boundary(tag)]

    def points(self, tags: Sequence[str]) -> list[Float[np.ndarray, "n d"]]:
        """The points of some tags."""
        return [np.asarray(self._view.data["points", tag])[0, 0] for tag in tags if ("points", tag) in self._view.data]

    def inside(self) -> Float[np.ndarray, "m d"] | None:
        """Some points of the terms inside the domain; None without such a term."""
        sets = self.points([tag for term in self.terms for tag in self._inner_tags(term)])
        if not sets:
            return None
        points = np.concatenate(sets)
        return points[np.unique(np.linspace(0, len(points) - 1, _MOST_PLACES).round().astype(int))]

    def _inner_tags(self, term: Node) -> list[str]:
        return [tag for tag in spatial_tags([term]) if not (self._is_boundary(tag) or self._is_beginning(tag))]

    def _is_boundary(self, tag: str) -> bool:
        record, geometry = self._domain.samples.find(tag), self._domain.geometry
        return record is not None and geometry.has(record.region) and geometry.is_boundary(record.region)

    def _is_beginning(self, tag: str) -> bool:
        record = self._domain.samples.find(tag)
        return record is not None and (record.base == INITIAL or record.level is not None)


def _derives(term: Node) -> bool:
    return any(isinstance(node, Derivative) for node in walk([term]))


def places_along(geometry: Geometry, tag: str) -> Float[np.ndarray, "n d"]:
    """Places along a part of the boundary: end points, pieces of edges, or centres of faces.

    Raises:
        ValueError: the tag has no edges or faces of its own.
    """
    corners = geometry.facets_of(tag).corners
    if corners.shape[1] != 2:
        return corners.mean(axis=1)
    edges = corners[:, 1] - corners[:, 0]
    lengths = np.linalg.norm(edges, axis=1)
    counts = np.maximum(1, np.ceil(_MOST_PLACES * lengths / lengths.sum()).astype(int))
    starts = corners[:, 0]
    pieces = [
        start + (np.arange(count)[:, None] + 0.5) / count * edge
        for start, edge, count in zip(starts, edges, counts, strict=True)
    ]
    return np.concatenate(pieces)


def far_from(places: Float[np.ndarray, "n d"], sets: Sequence[Float[np.ndarray, "_ d"]]) -> Bool[np.ndarray, " n"]:
    """Places from which the next point is farther away than points are from each other."""
    from scipy.spatial import cKDTree

    points = np.unique(np.concatenate(sets), axis=0) if sets else np.zeros((0, places.shape[1]))
    if not len(points):
        return np.ones(len(places), bool)
    tree, gap = cKDTree(points), _GAP * float(np.linalg.norm(np.ptp(places, axis=0)))
    if len(points) > 2:
        spacing = tree.query(points, k=2)[0][:, 1]
        gap = max(gap, 1.5 * float(np.quantile(spacing, 0.9)))
    return np.asarray(tree.query(places)[0] > gap)
