"""Array types and argument checks shared by the mesh operators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jax import Array
from jaxtyping import Int, Num

from jno.utils import SharedDocumentation, is_integral

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
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"Unknown {argument} {name!r}; allowed: {', '.join(map(repr, names))}.")


def check_axes(argument: str, axes: Iterable[int], dimension: int) -> None:
    """Raise a ValueError unless every axis is one of 0 … dimension - 1."""
    wrong = [axis for axis in axes if not is_integral(axis) or not 0 <= axis < dimension]
    if wrong:
        raise ValueError(
            f"{argument} = {wrong[0]!r} is not an axis of this {dimension}-D mesh; allowed: {list(range(dimension))}."
        )


def check_element_block(name: str, elements: MeshElements, dimension: int) -> None:
    """Raise a ValueError when the connectivity belongs to another element type."""
    shape = tuple(np.shape(checked_array(name, elements)))
    if len(shape) != 2 or shape[1] != dimension + 1:
        raise ValueError(f"{name} must have shape (M, {dimension + 1}) for a {dimension}-D operator; got {shape}.")


def checked_array(name: str, values: Any) -> Any:
    """Refuse what is no array of numbers, or a list of them.

    Raises:
        TypeError: naming the argument.
    """
    if isinstance(values, Array):
        return values
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biufcV" or array.ndim == 0:
        raise TypeError(f"{name} must be an array of numbers; got {values!r}.")
    return array
