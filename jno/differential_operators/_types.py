"""Array types and argument checks shared by the mesh operators."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jax import Array
from jaxtyping import Int, Num

from jno.utils import SharedDocumentation

NodalValues = Num[Array | np.ndarray, "nodes"]
MeshPoints = Num[Array | np.ndarray, "points *space"]
MeshElements = Int[Array | np.ndarray, "elements vertices"]

documented_stencil = SharedDocumentation(
    {
        "points": "Coordinates, shape (N, D) with D = 1, 2, 3 ((N,) is accepted in 1-D).",
        "elements": "Node indices, shape (M, D + 1), in any orientation. Degenerate elements are ignored.",
    },
    returns="A stencil; nodes without elements get zero.",
    raises={
        "ValueError": "Unknown method, axis or combination, or arrays that do not form a simplex mesh.",
        "TypeError": "A traced mesh.",
    },
)
"""What the docstrings of the builders of stencils have in common."""


def check_choice(argument: str, name: str, allowed: Iterable[str]) -> None:
    """Raise a ValueError that lists the allowed names unless `name` is one of them."""
    names = tuple(allowed)
    if name not in names:
        raise ValueError(f"Unknown {argument} {name!r}; allowed: {', '.join(map(repr, names))}.")


def check_axes(argument: str, axes: Iterable[int], dimension: int) -> None:
    """Raise a ValueError unless every axis is one of 0 … dimension - 1."""
    wrong = [axis for axis in axes if not 0 <= axis < dimension]
    if wrong:
        raise ValueError(
            f"{argument} = {wrong[0]} is not an axis of this {dimension}-D mesh; allowed: {list(range(dimension))}."
        )


def check_element_block(name: str, elements: MeshElements, dimension: int) -> None:
    """Raise a ValueError when the connectivity belongs to another element type."""
    if elements.shape[1] != dimension + 1:
        raise ValueError(
            f"{name} must have shape (M, {dimension + 1}) for a {dimension}-D operator; got {tuple(elements.shape)}."
        )
