"""The terms of a loss: how large each is, what its residual is, and where that is evaluated."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jno.compiler import spatial_tags
from jno.trace import Derivative, Node, Placeholder, Variable, WeightedMean, walk
from jno.training import TrainingView

_POINT_AXES = 3
"""Axes of a value at points: samples, points, components; of several time levels there is one more."""


@dataclasses.dataclass(frozen=True, eq=False)
class LossTerm:
    """One constraint.

    Attributes:
        number: its position.
        name: its label.
        loss: its value now.
        largest: the largest value that was recorded.
        residual: what its mean is taken of; None where it is not a mean of something at points.
        tag: the points of the residual.
        has_derivatives: whether the residual differentiates; otherwise it is in units of the solution.
    """

    number: int
    name: str
    loss: float
    largest: float
    residual: Placeholder | None
    tag: str
    has_derivatives: bool

    @property
    def share(self) -> float:
        """What is left of the largest loss."""
        return self.loss / self.largest if self.largest > 0.0 else 0.0


def terms_of(view: TrainingView, losses: Num[np.ndarray, " C"]) -> list[LossTerm]:
    """The terms with their losses."""
    finite = np.where(np.isfinite(view.history), np.abs(view.history), 0.0)
    largest = np.maximum(finite.max(axis=0, initial=0.0), np.abs(losses))
    return [
        _term(view.program.expressions[number], number, name, float(losses[number]), float(largest[number]))
        for number, name in enumerate(view.names)
    ]


def _term(constraint: Node, number: int, name: str, loss: float, largest: float) -> LossTerm:
    mean = WeightedMean.of(constraint)
    residual = constraint if mean is None else mean.residual
    tags = spatial_tags([residual])
    derives = any(isinstance(node, Derivative) for node in walk([residual]))
    if len(tags) != 1 or not isinstance(residual, Placeholder):
        return LossTerm(number, name, loss, largest, None, "", derives)
    return LossTerm(number, name, loss, largest, residual, tags[0], derives)


@dataclasses.dataclass(frozen=True, eq=False)
class ResidualField:
    """The residual of a term at its points, samples and times in one axis.

    Attributes:
        term: the term.
        value: as it was computed.
        squares: sums of squares over the components.
        places: coordinates of the points, the time last where there are several.
        axes: names of these coordinates.
    """

    term: LossTerm
    value: Num[Array, ...]
    squares: Float[np.ndarray, " n"]
    places: Float[np.ndarray, "n d"]
    axes: tuple[str, ...]


def field_of(term: LossTerm, value: Array, view: TrainingView) -> ResidualField | None:
    """The residual of a term with its coordinates; None where its value is not one row for each point."""
    program = view.program
    points = np.asarray(view.data["points", term.tag])  # (B or 1, T or 1, N, d)
    has_levels = program.window > 1
    rows = np.asarray(jnp.abs(value)).astype(np.float64)
    if rows.ndim < _POINT_AXES - 1 + has_levels or rows.shape[1 + has_levels] != points.shape[2]:
        return None
    samples, levels, count = rows.shape[0], rows.shape[1] if has_levels else 1, points.shape[2]
    squares = (rows.reshape(samples, levels, count, -1) ** 2).sum(axis=-1)
    if points.shape[0] not in (1, samples) or points.shape[1] not in (1, levels):
        return None
    places = np.broadcast_to(points, (samples, levels, count, points.shape[3]))
    axes = tuple(program.domain.spatial[: points.shape[3]])
    times = _times(term, view, levels)
    if times is not None:
        moments = np.broadcast_to(times[None, :, None, None], (samples, levels, count, 1))
        places, axes = np.concatenate([places, moments], axis=-1), (*axes, "t")
    return ResidualField(term, value, squares.ravel(), places.reshape(-1, places.shape[-1]), axes)


def _times(term: LossTerm, view: TrainingView, levels: int) -> Float[np.ndarray, " T"] | None:
    """The times of a residual that depends on several."""
    assert term.residual is not None, "only what has a residual has times"
    moving = [node.tag for node in walk([term.residual]) if isinstance(node, Variable) and node.axis == "temporal"]
    tables = [np.ravel(view.data["times", tag]) for tag in moving if ("times", tag) in view.data]
    return next((np.asarray(table, np.float64) for table in tables if len(table) == levels > 1), None)
