"""How points of constraints may be drawn: what belongs together, and which constraints are means over the points."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from jno.trace import title

from ._partition_test import Comparison, PartitionTest
from ._point_sets import JointPoints, joint_tags, tags_of
from ._program import Program

_MOST_TRIALS = 64
"""Assumptions about which data follow the points that are tried."""


@dataclasses.dataclass(frozen=True)
class PointDraws:
    """How points of a program's constraints may be drawn.

    Attributes:
        sets: the points that are drawn together.
        sums: positions of the constraints that add up over the points instead of taking their mean.
    """

    sets: tuple[JointPoints, ...]
    sums: tuple[int, ...]

    def sets_of(self, program: Program, position: int) -> list[JointPoints]:
        """The sets whose points a constraint depends on."""
        return [points for points in self.sets if tags_of(program, program.roots[position], points.tags)]


def point_draws(program: Program, tags: Collection[str], labels: Sequence[str]) -> PointDraws:
    """How the points of some tags may be drawn.

    Args:
        program: the constraints.
        tags: whose points are drawn.
        labels: names of the constraints.

    Raises:
        ValueError: a constraint that is neither a mean nor a sum over the points, or that needs all of them.
    """
    joint = joint_tags(program, tags)
    weighed = [loss for node in program.balanced for loss in node.losses]
    test = PartitionTest(program.over([*program.expressions, *weighed]))
    errors: list[Exception] = []
    biased: ValueError | None = None
    for following in _subsets(sorted(frozenset[str]().union(*(points.data for points in joint)))):
        sets = tuple(points.points(program, following) for points in joint)
        try:
            comparison = test.compared(sets)
        except (ValueError, TypeError, IndexError) as error:
            errors.append(error)
            continue
        position = _first_biased(comparison, len(program.roots))
        if position is None:
            return PointDraws(sets, tuple(np.flatnonzero(comparison.sums).tolist()))
        biased = biased or _biased_error(program, labels, comparison, position)
    if biased is not None:
        raise biased
    raise ValueError(
        f"the constraints cannot be evaluated on some of their points: {errors[0]}. Values at points follow them where "
        "they are attached by domain.variable(name, values, point_data=True)"
    ) from errors[0]


def _subsets(data: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """None, all, then what lies between, the small ones first."""
    yield ()
    if data:
        yield tuple(data)
    between = itertools.chain.from_iterable(itertools.combinations(data, size) for size in range(1, len(data)))
    yield from itertools.islice(between, _MOST_TRIALS)


def _first_biased(comparison: Comparison, constraints: int) -> int | None:
    """The first of the constraints that is no mean and no sum, or of the weighed losses after them that is no mean."""
    allowed = comparison.means | (comparison.sums & (np.arange(len(comparison.sums)) < constraints))
    return next(iter(np.flatnonzero(~allowed).tolist()), None)


def _biased_error(program: Program, labels: Sequence[str], comparison: Comparison, position: int) -> ValueError:
    what, allowed = "a loss that is weighed", "a mean over the points"
    if position < len(program.roots):
        what = f"constraint {labels[position]}, '{title(program.roots[position])}',"
        allowed = "a mean or a sum over the points"
    return ValueError(
        f"{what} is not {allowed}: it is {comparison.all_points[position]:.4g} on some points and "
        f"{comparison.parts[:, position].mean():.4g} on average over quarters of them, so steps on some of the points "
        "would not follow its gradient. Roots, quotients and other functions of a mean, maxima, and networks or "
        "functions that couple points need all points; write it as the mean of something at each point, such as .mse"
    )
