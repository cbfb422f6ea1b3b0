"""An immutable simplicial mesh with named cell and facet sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from ._topology import boundary_facets, orient

_CELL_KINDS = {1: "line", 2: "triangle", 3: "tetra"}
_FACET_KINDS = {1: "boundary_points", 2: "line", 3: "triangle"}


@dataclass(frozen=True, eq=False)
class Mesh:
    """Points, positively oriented simplices, and named sets of cells and of outward facets.

    Attributes:
        points: node coordinates `(N, D)`.
        cells: node ids of the simplices `(M, D + 1)`, all with a positive signed measure.
        facets: node ids of the facets `(E, D)`.
        opposite: for every facet, the node of its owner that does not lie on it; it fixes the outward side.
        cell_sets: name -> ids into `cells`.
        facet_sets: name -> ids into `facets`, ordered along the curve in two dimensions.
    """

    points: Float[np.ndarray, "N D"]
    cells: Int[np.ndarray, "M V"]
    facets: Int[np.ndarray, "E D"]
    opposite: Int[np.ndarray, " E"]
    cell_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    facet_sets: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (self.points, self.cells, self.facets, self.opposite):
            array.setflags(write=False)

    @classmethod
    def from_cells(cls, points: Float[np.ndarray, "N D"], cells: Int[np.ndarray, "M V"]) -> Mesh:
        """Orient the simplices and find the boundary; the sets are `interior` and `boundary`."""
        cells = orient(points, cells)
        facets, opposite = boundary_facets(cells, len(points))
        return cls(
            points,
            cells,
            facets,
            opposite,
            {"interior": np.arange(len(cells))},
            {"boundary": np.arange(len(facets))},
        )

    @property
    def dimension(self) -> int:
        """Number of space dimensions `D`."""
        return int(self.points.shape[1])

    @property
    def cell_kind(self) -> str:
        """`"line"`, `"triangle"` or `"tetra"`."""
        return _CELL_KINDS[self.dimension]

    @property
    def facet_kind(self) -> str:
        """`"boundary_points"`, `"line"` or `"triangle"`."""
        return _FACET_KINDS[self.dimension]

    def __repr__(self) -> str:
        sets = sorted({*self.cell_sets, *self.facet_sets})
        return f"Mesh({len(self.points)} points, {len(self.cells)} {self.cell_kind} cells, sets={sets})"
