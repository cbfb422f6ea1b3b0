"""Lagrange elements on lines, triangles and tetrahedra."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

HIGHEST_ORDER = 4


@dataclass(frozen=True, eq=False)
class Lagrange:
    """The Lagrange element of an order on the reference simplex of a dimension.

    The nodes are equispaced, those of an edge run from its vertex of lower number to that of higher number, and so on
    for faces.  On cells whose vertices are listed in ascending order neighbours therefore agree.
    """

    dimension: int
    order: int
    points: Float[np.ndarray, "n D"]
    """Nodes in the reference simplex."""
    entities: tuple[tuple[tuple[int, ...], ...], ...]
    """By dimension of the entity: its vertices, for every entity of the reference simplex."""
    entity_nodes: tuple[tuple[tuple[int, ...], ...], ...]
    """By dimension of the entity: the nodes in its interior, for every entity."""
    facet_nodes: tuple[Int[np.ndarray, " k"], ...]
    """The nodes on the facet opposite to each vertex."""

    def tabulate(
        self, points: Float[np.ndarray, "Q D"], orders: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, ...], Float[np.ndarray, "n Q"]]:
        """Derivatives of the basis functions by reference coordinates.

        Args:
            points: where, in the reference simplex.
            orders: derivatives as ascending columns that are differentiated by; ``()`` is the value.
        """
        import basix

        highest = max((len(order) for order in orders), default=0)
        table = _basix_element(self.dimension, self.order).tabulate(highest, np.asarray(points, dtype=np.float64))
        counts = {order: [order.count(column) for column in range(self.dimension)] for order in orders}
        return {order: np.ascontiguousarray(table[basix.index(*counts[order])][:, :, 0].T) for order in orders}


@functools.cache
def lagrange(dimension: int, order: int) -> Lagrange:
    """The element; tabulated once for each dimension and order."""
    import basix

    element, cell = _basix_element(dimension, order), _cell(dimension)
    entities = tuple(tuple(tuple(vertices) for vertices in kind) for kind in basix.topology(cell))
    closures = element.entity_closure_dofs
    by_opposite = {
        next(vertex for vertex in range(dimension + 1) if vertex not in vertices): number
        for number, vertices in enumerate(entities[dimension - 1])
    }
    facet_nodes = tuple(np.asarray(closures[dimension - 1][by_opposite[vertex]]) for vertex in range(dimension + 1))
    entity_nodes = tuple(tuple(tuple(nodes) for nodes in kind) for kind in element.entity_dofs)
    return Lagrange(dimension, order, np.array(element.points), entities, entity_nodes, facet_nodes)


def _basix_element(dimension: int, order: int) -> Any:
    """The element of basix; none is kept, because its objects must not outlive the interpreter's modules."""
    import basix

    return basix.create_element(basix.ElementFamily.P, _cell(dimension), order, basix.LagrangeVariant.equispaced)


def _cell(dimension: int) -> Any:
    import basix

    return (basix.CellType.point, basix.CellType.interval, basix.CellType.triangle, basix.CellType.tetrahedron)[
        dimension
    ]


def derivative_orders(dimension: int, order: int) -> list[tuple[int, ...]]:
    """All derivatives of an order, as ascending columns."""
    return list(itertools.combinations_with_replacement(range(dimension), order))
