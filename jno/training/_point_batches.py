"""Mini-batches of points: the option `point_batch` of a call, and how its points are drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from jno.compiler import JointPoints, PointArray, PointDraws, Program, point_counts, point_draws
from jno.trace import BinaryOp, Literal, Node
from jno.utils import is_integer

from ._shuffles import Passes

_STREAM = 0x9017
"""First random stream of points, one for every set that is drawn together."""

PointBatchSizes: TypeAlias = int | Mapping[str, int] | None
"""Points of a step: of every tag, or by tag; tags that are left out, and those of no more points, keep all."""


@dataclasses.dataclass(frozen=True)
class PointBatch:
    """Points that are drawn together: of the tags in all the arrays that have a row for each."""

    tags: tuple[str, ...]
    arrays: tuple[PointArray, ...]
    passes: Passes


@dataclasses.dataclass(frozen=True)
class DrawnProgram:
    """Constraints on some of their points, and how these are drawn.

    Attributes:
        program: the constraints, sums over points made as large as they are on all points.
        batches: what is drawn; nothing where every step sees all points.
    """

    program: Program
    batches: tuple[PointBatch, ...]


def drawn_program(program: Program, sizes: PointBatchSizes, labels: Sequence[str], seed: int) -> DrawnProgram:
    """Constraints on mini-batches of their points.

    Args:
        program: the constraints on all points.
        sizes: the option of the call.
        labels: names of the constraints.
        seed: of the draws.

    Raises:
        TypeError: neither a number nor a dict.
        ValueError: a size out of range, a tag that the constraints have no points of, constraints that need all points.
    """
    by_tag = _sizes_by_tag(sizes, point_counts(program))
    if not by_tag:
        return DrawnProgram(program, ())
    try:
        draws = point_draws(program, by_tag, labels)
        batches = tuple(_batch(points, by_tag, seed, number) for number, points in enumerate(draws.sets))
        return DrawnProgram(_scaled(program, draws, batches, labels), batches)
    except ValueError as error:
        raise ValueError(
            f"point_batch={_text(sizes)}: {error}. Tags that are left out keep all their points: "
            "point_batch={tag: number}"
        ) from error


def check_point_batch(sizes: object) -> None:
    """Refuse what is neither a number of points nor numbers by tag.

    Raises:
        TypeError: naming what is allowed.
        ValueError: a number that is not positive.
    """
    if sizes is None:
        return
    numbers = sizes.values() if isinstance(sizes, Mapping) else [sizes]
    tags = sizes if isinstance(sizes, Mapping) else ()
    if not numbers or not all(isinstance(tag, str) for tag in tags) or not all(is_integer(n) for n in numbers):
        raise TypeError(
            f"point_batch={_text(sizes)}: it must be the number of points that a step sees of every tag, or a dict "
            "from tags to such numbers, {'interior': 1000}"
        )
    if not all(is_integer(number, 1) for number in numbers):
        raise ValueError(f"point_batch={_text(sizes)}: a step needs at least 1 point of every tag")


def _sizes_by_tag(sizes: PointBatchSizes, counts: Mapping[str, int]) -> dict[str, int]:
    """Points of a step for every tag that is drawn from."""
    if sizes is None:
        return {}
    present = ", ".join(f"{tag!r} {count}" for tag, count in sorted(counts.items())) or "none"
    if not isinstance(sizes, Mapping):
        if sizes > max(counts.values(), default=0):
            raise ValueError(
                f"point_batch={sizes}: no tag has as many points (those of the constraints have: {present}); leave it "
                "out, or give a smaller number"
            )
        return {tag: sizes for tag, count in counts.items() if count > sizes}
    for tag, size in sizes.items():
        if tag not in counts or size > counts[tag]:
            reason = f"{tag!r} has {counts[tag]} points" if tag in counts else f"no constraint has points of {tag!r}"
            raise ValueError(f"point_batch={_text(sizes)}: {reason}; the points of the constraints are: {present}")
    return {tag: size for tag, size in sizes.items() if size < counts[tag]}


def _batch(points: JointPoints, sizes: Mapping[str, int], seed: int, number: int) -> PointBatch:
    different = sorted({sizes[tag] for tag in points.tags})
    if len(different) > 1:
        raise ValueError(
            f"{' and '.join(map(repr, points.tags))} have the same number of points and occur in one constraint, which "
            f"may pair them: give them one number, not {different}"
        )
    return PointBatch(points.tags, points.arrays, Passes(points.count, different[0], seed, _STREAM + number))


def _scaled(program: Program, draws: PointDraws, batches: Sequence[PointBatch], labels: Sequence[str]) -> Program:
    """The constraints with a factor where they are sums over points."""
    factors = dict(zip(draws.sets, (batch.passes.rows / batch.passes.size for batch in batches), strict=True))
    expressions: list[Node] = list(program.expressions)
    for position in draws.sums:
        of_root = {factors[points] for points in draws.sets_of(program, position)}
        if len(of_root) > 1:
            raise ValueError(
                f"constraint {labels[position]} adds up over points of several tags, of which steps see different "
                "shares: make each sum a constraint of its own"
            )
        expressions[position] = BinaryOp("*", program.expressions[position], Literal(of_root.pop()))
    return program.over(expressions) if draws.sums else program


def _text(sizes: object) -> str:
    return repr(dict(sizes)) if isinstance(sizes, Mapping) else repr(sizes)
