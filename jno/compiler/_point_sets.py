"""Which points are drawn together, and which arrays have a row for each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

from jno.trace import Node, TensorTag

from ._graph import bound_in_context
from ._program import Program
from ._types import Name

_POINT_AXIS = 2


@dataclasses.dataclass(frozen=True)
class PointArray:
    """An array with a row for each point, and the axis that runs over the points."""

    name: Name
    axis: int


@dataclasses.dataclass(frozen=True)
class JointPoints:
    """Tags whose points are drawn together, because expressions may pair them by position."""

    tags: tuple[str, ...]
    count: int
    """Number of points of every tag."""
    arrays: tuple[PointArray, ...]


@dataclasses.dataclass(frozen=True)
class JointTags:
    """Tags of points of one count that occur in one constraint, and the data there with as many rows."""

    tags: frozenset[str]
    data: frozenset[str]
    count: int

    def points(self, program: Program, following: Collection[str]) -> JointPoints:
        """The points with their arrays, where this data follows them."""
        arrays = tuple(self._arrays(program, following))
        return JointPoints(tuple(sorted(self.tags)), self.count, arrays)

    def _arrays(self, program: Program, following: Collection[str]) -> Iterator[PointArray]:
        with_normals = self.tags | {f"n_{tag}" for tag in self.tags}
        for kind, tag in program.layout.entries:
            here = (kind == "points" and tag in with_normals) or (kind == "nearest" and tag in self.tags)
            if here or program.holds_at_points((kind, tag), with_normals):
                yield PointArray((kind, tag), _POINT_AXIS)
            elif kind == "tensors" and tag in self.data & set(following):
                yield PointArray((kind, tag), _row_axis(program, tag))


def point_counts(program: Program) -> dict[str, int]:
    """Number of points of every tag of points that the constraints depend on."""
    normals = program.domain.normal_tags
    names = [name for kind, name in program.layout.entries if kind == "points" and name not in normals]
    return {tag: program.sources["points", tag].shape[_POINT_AXIS] for tag in names}


def tags_of(program: Program, root: Node, tags: Collection[str]) -> set[str]:
    """The tags whose points, or normals, the value of an expression depends on; regions of integrals are bound."""
    below = program.graph.tags(root)
    return {tag for tag in tags if tag in below or f"n_{tag}" in below}


def joint_tags(program: Program, tags: Collection[str]) -> list[JointTags]:
    """The tags, joined where points and data of one count occur in one constraint."""
    counts = point_counts(program)
    joint = [JointTags(frozenset([tag]), frozenset(), counts[tag]) for tag in sorted(tags)]
    for root in program.roots:
        data = {leaf.tag for leaf in bound_in_context([root]) if isinstance(leaf, TensorTag)}
        here = tags_of(program, root, tags)
        for count in {points.count for points in joint if points.tags & here}:
            rows = frozenset(tag for tag in data if _row_count(program, tag) == count)
            met = [points for points in joint if points.count == count and (points.tags & here or points.data & rows)]
            joint = [points for points in joint if points not in met]
            met_tags = frozenset[str]().union(*(points.tags for points in met))
            joint.append(JointTags(met_tags, rows.union(*(points.data for points in met)), count))
    return sorted(joint, key=lambda points: sorted(points.tags))


def _row_axis(program: Program, tag: str) -> int:
    """The axis of data that would run over points."""
    entry = program.layout.entries["tensors", tag]
    return int(entry.has_batch_axis) + int(entry.levels is not None)


def _row_count(program: Program, tag: str) -> int | None:
    axis, shape = _row_axis(program, tag), program.sources["tensors", tag].shape
    return int(shape[axis]) if len(shape) > axis else None
