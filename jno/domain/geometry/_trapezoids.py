"""Exact decomposition of a polygonal area into trapezoids with vertical parallel sides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Trapezoids:
    """Trapezoid `m` lies between the abscissae `left` and `right`; heights of its lower and upper edge are given there.

    Attributes:
        left: abscissa of the left side `(M,)`.
        right: abscissa of the right side `(M,)`.
        lower: heights of the lower edge at the left and right side `(M, 2)`.
        upper: heights of the upper edge at the left and right side `(M, 2)`.
    """

    left: Float[np.ndarray, " M"]
    right: Float[np.ndarray, " M"]
    lower: Float[np.ndarray, "M 2"]
    upper: Float[np.ndarray, "M 2"]

    @cached_property
    def areas(self) -> Float[np.ndarray, " M"]:
        """Area of every trapezoid."""
        return (self.right - self.left) * np.sum(self.upper - self.lower, axis=1) / 2.0

    @cached_property
    def cumulative(self) -> Float[np.ndarray, " M"]:
        """Area up to and including every trapezoid."""
        return np.cumsum(self.areas)

    @property
    def triangles(self) -> Float[np.ndarray, "K 3 2"]:
        """The same area as triangles."""
        left, right = (
            np.stack([np.repeat(side[:, None], 2, axis=1), heights], axis=2)
            for side, heights in (
                (self.left, np.stack([self.lower[:, 0], self.upper[:, 0]], axis=1)),
                (self.right, np.stack([self.lower[:, 1], self.upper[:, 1]], axis=1)),
            )
        )
        below = np.stack([left[:, 0], right[:, 0], right[:, 1]], axis=1)
        above = np.stack([left[:, 0], right[:, 1], left[:, 1]], axis=1)
        triangles = np.stack([below, above], axis=1).reshape(-1, 3, 2)
        sides = triangles[:, 1:] - triangles[:, :1]
        areas = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]) / 2.0
        return triangles[areas > 1e-14 * np.sum(self.areas)]

    def place(self, unit: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """The measure-preserving map of the unit square (Rosenblatt 1952): along x by area, then along y.

        On a rectangle this is the affine map, so that low-discrepancy points stay what they are.
        """
        # never on the edge of the unit square, so that rounding leaves the points inside
        horizontal, vertical = np.clip(unit, 1e-12, 1.0 - 1e-12).T
        target = horizontal * self.cumulative[-1]
        piece = choose(self.cumulative, target)
        share = np.clip((target - (self.cumulative - self.areas)[piece]) / self.areas[piece], 0.0, 1.0)
        width = (self.upper - self.lower)[piece]
        # the height varies linearly, so its share of the area is quadratic in the abscissa
        root = np.sqrt(width[:, 0] ** 2 + share * (width[:, 1] ** 2 - width[:, 0] ** 2))
        along = share * (width[:, 0] + width[:, 1]) / (width[:, 0] + root)
        low = self.lower[piece, 0] + along * (self.lower[piece, 1] - self.lower[piece, 0])
        high = self.upper[piece, 0] + along * (self.upper[piece, 1] - self.upper[piece, 0])
        x = self.left[piece] + along * (self.right[piece] - self.left[piece])
        return np.stack([x, low + vertical * (high - low)], axis=1)


def choose(cumulative: Float[np.ndarray, " M"], target: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The piece in which a share of the total measure falls."""
    return np.minimum(np.searchsorted(cumulative, target, side="right"), len(cumulative) - 1)


def trapezoids(segments: Float[np.ndarray, "E 2 2"]) -> Trapezoids:
    """Trapezoids that cover the inside (even-odd rule) of the edges of a valid polygonal geometry exactly.

    The verticals through all vertices cut the area. Holes, disjoint pieces and any order or direction of the edges are
    allowed.
    """
    abscissae, slab, edges = _spans(segments)
    left, right = abscissae[slab], abscissae[slab + 1]
    order = np.lexsort((_height(edges, (left + right) / 2.0), slab))
    edges, left, right = edges[order], left[order], right[order]
    heights = np.stack([_height(edges, left), _height(edges, right)], axis=1)
    # In every slab the edges bound the inside in pairs: lower, upper, lower, upper, ...
    pieces = Trapezoids(left[0::2], right[0::2], heights[0::2], heights[1::2])
    proper = pieces.areas > 0.0
    return Trapezoids(pieces.left[proper], pieces.right[proper], pieces.lower[proper], pieces.upper[proper])


def _spans(
    segments: Float[np.ndarray, "E 2 2"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Abscissae of the vertices, and for every slab between two of them the edges that cross it."""
    abscissae = np.unique(segments[:, :, 0])
    slanted = segments[segments[:, 0, 0] != segments[:, 1, 0]]
    begin = np.searchsorted(abscissae, slanted[:, :, 0].min(axis=1))
    end = np.searchsorted(abscissae, slanted[:, :, 0].max(axis=1))
    count = end - begin
    owner = np.repeat(np.arange(len(slanted)), count)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    return abscissae, begin[owner] + within, slanted[owner]


def _height(edges: Float[np.ndarray, "K 2 2"], x: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    (x0, y0), (x1, y1) = edges[:, 0].T, edges[:, 1].T
    return y0 + (x - x0) / (x1 - x0) * (y1 - y0)
