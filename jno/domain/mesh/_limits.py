"""How large a mesh may become."""

from __future__ import annotations

import math

MOST_NODES = 50_000_000
"""A mesh of more nodes needs hundreds of gigabytes and hours."""


def check_nodes(estimate: float | int, what: str) -> None:
    """Refuse a mesh of too many nodes before it is made.

    Args:
        estimate: how many nodes it will have.
        what: the arguments that say so, such as ``"mesh_size=1e-9"``.

    Raises:
        ValueError: naming them, with the estimate.
    """
    if not estimate <= MOST_NODES:
        size = "more nodes than any memory holds" if not math.isfinite(estimate) else f"about {estimate:.1e} nodes"
        raise ValueError(f"{what} gives a mesh of {size}; at most {MOST_NODES:.0e} are made. Choose a coarser mesh.")


def plane_nodes(area: float | int, perimeter: float | int, mesh_size: float | int) -> float:
    """Estimate of the nodes of a triangle mesh: those of equilateral triangles of that size, and of the boundary."""
    try:
        return area / (math.sqrt(0.75) * mesh_size**2) + perimeter / mesh_size
    except (OverflowError, ZeroDivisionError):
        return math.inf
