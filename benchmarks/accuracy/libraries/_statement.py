"""A problem of the table in terms that every library has: functions of coordinates and of a network's output."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "N D"]
Values = Float[np.ndarray, " N"]


class Functions(Protocol):
    """The elementary functions of a library's arrays."""

    sin: Callable[[Any], Any]
    cos: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    exp: Callable[[Any], Any]
    sqrt: Callable[[Any], Any]
    asinh: Callable[[Any], Any]
    erfc: Callable[[Any], Any]


class Derivative(Protocol):
    """``d()`` is the solution at the points, ``d(0)`` its slope along the first coordinate; ``d(0, 1)`` a mixed one."""

    def __call__(self, *axes: int) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Prescribed:
    """Values on the boundary that the loss holds.

    Attributes:
        points: where.
        values: what the solution is there.
        weight: of the mean square of the difference, beside the mean square of the residual.
    """

    points: Points
    values: Values
    weight: float


@dataclasses.dataclass(frozen=True)
class Statement:
    """A problem with the network and the points of its case; arrays of coordinates are (..., D), columns (..., 1).

    Attributes:
        layers: numbers of inputs, of the units of every hidden layer, and of outputs.
        activation: ``"tanh"`` or ``"sin"``.
        points: of the residual, by seed.
        inputs: from functions and coordinates to the columns that the network reads.
        solution: from functions, coordinates and the network's output to the solution.
        residual: from functions, coordinates and the derivatives of the solution to what shall vanish.
        prescribed: values that the loss holds, by seed; None where all are built into the solution.
        error: from a prediction at points to the relative L2 error of the case.
    """

    layers: Sequence[int]
    points: Callable[[int], Points]
    inputs: Callable[[Functions, Any], Sequence[Any]]
    residual: Callable[[Functions, Any, Derivative], Any]
    error: Callable[[Callable[[Points], Values]], float]
    solution: Callable[[Functions, Any, Any], Any] = lambda functions, x, network: network
    prescribed: Callable[[int], Prescribed] | None = None
    activation: str = "tanh"


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a library returns when its training has ended.

    Attributes:
        predict: the solution at points.
        loss: at the end, as the library counts it.
        steps: of all its optimizers.
        parameters: number of trained weights.
        recipe: the optimizers, as the table names them.
    """

    predict: Callable[[Points], Values]
    loss: float
    steps: int
    parameters: int
    recipe: str
