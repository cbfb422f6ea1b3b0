"""An immutable simplicial mesh with named cell and facet sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from ._elements import SIMPLICES
from ._topology import boundary_facets, orient


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
        return SIMPLICES[self.dimension]

    @property
    def cells_dict(self) -> dict[str, Int[np.ndarray, "M V"]]:
        """Kind -> node ids of the elements of this kind, under the names of meshio: cells, then facets.

        A point is a `"vertex"` there, whereas the `facet_kind` of a line is `"boundary_points"`.

        Example:
            >>> import jno
            >>> {kind: ids.shape for kind, ids in jno.domain.rect(mesh_size=0.5).mesh.cells_dict.items()}
            {'triangle': (8, 3), 'line': (8, 2)}
        """
        return {SIMPLICES[self.dimension]: self.cells, SIMPLICES[self.dimension - 1]: self.facets}

    @property
    def facet_kind(self) -> str:
        """`"boundary_points"`, `"line"` or `"triangle"`."""
        return "boundary_points" if self.dimension == 1 else SIMPLICES[self.dimension - 1]

    def __repr__(self) -> str:
        sets = sorted({*self.cell_sets, *self.facet_sets})
        return f"Mesh({len(self.points)} points, {len(self.cells)} {self.cell_kind} cells, sets={sets})"
