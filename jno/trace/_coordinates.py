"""What a variable stands for: a coordinate of the points of a tag, time, or a component of their normals."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from ._evaluated_at import EvaluatedAt
from ._integrals import Integral, IntegralTime
from ._leaves import Variable
from ._node import Node
from ._services import Service
from ._walk import walk

bounds_of: Service[[object], tuple[tuple[float, float], ...] | None] = Service("the bounds of a domain", "jno.domain")
"""Least and largest value of every coordinate of a domain; ``None`` for other objects."""

_ALIAS = re.compile("@(?=[a-z])")
"""``interior@inner`` is an alias of ``interior``; ``interior@1`` is another point set."""


def point_tag(variable: Variable) -> str:
    """Tag of the points a spatial variable lives on (a normal vector lives on the points of its boundary tag)."""
    return variable.tag.removeprefix("n_") if is_normal(variable) else variable.tag


def is_normal(variable: Variable) -> bool:
    """Whether the variable holds components of outward normals."""
    normal_tags = frozenset[str]() if variable.domain is None else variable.domain.normal_tags
    return variable.axis == "spatial" and unaliased(variable.tag) in normal_tags


def unaliased(tag: str) -> str:
    """The tag that an alias stands for: another binding of the same region while the tag itself is in use."""
    return _ALIAS.split(tag, maxsplit=1)[0]


def region(variable: Variable) -> str:
    """Tag of the region the variable's points belong to."""
    return unaliased(point_tag(variable))


def same_point(left: Variable, right: Variable) -> bool:
    """Whether two variables are components (coordinates, normals) of the same point."""
    return region(left) == region(right) and left.copy == right.copy


def identity(variable: Variable) -> tuple[Any, ...]:
    """Equal for two variables exactly if they stand for the same thing."""
    return variable.tag, variable.dim, variable.axis, variable.copy, id(variable.domain)


@dataclasses.dataclass(frozen=True, order=True)
class Coordinate:
    """Which coordinate a variable is at the points of any tag; ordered x, y, z, t, then the components of normals."""

    kind: int
    """0: space, 1: time, 2: normals."""
    dim: tuple[int, int | None]

    def __str__(self) -> str:
        start, stop = self.dim
        if self.kind == _TIME:
            return "t"
        if stop is not None and stop == start + 1 and start < 3:
            return ("n" if self.kind == _NORMAL else "") + "xyz"[start]
        return ("normal" if self.kind == _NORMAL else "columns") + f"[{start}:{'' if stop is None else stop}]"


_SPACE, _TIME, _NORMAL = range(3)


def coordinate_of(variable: Variable) -> Coordinate:
    """The coordinate a variable is."""
    if variable.axis == "temporal":
        return Coordinate(_TIME, (0, 1))
    return Coordinate(_NORMAL if is_normal(variable) else _SPACE, variable.dim)


def coordinates_of_domain(domain: Any) -> list[Coordinate]:
    """x, y, z and t, as far as a domain has them."""
    space = [Coordinate(_SPACE, (column, column + 1)) for column in range(domain.dimension)]
    return space + ([Coordinate(_TIME, (0, 1))] if domain.is_time_dependent else [])


def free_variables(target: Node) -> list[Variable]:
    """The distinct variables the value of ``target`` depends on, in order of first appearance.

    An integral over a region binds the coordinates of its integrand's points, an integral with an outer variable all
    but those of the outer point, an integral over time its time.
    """
    free: dict[int, dict[tuple[Any, ...], Variable]] = {}
    for node in walk([target]):
        below: dict[tuple[Any, ...], Variable] = {}
        for child in node.children():
            below.update(free[id(child)])
        if isinstance(node, Variable):
            below = {identity(node): node}
        elif isinstance(node, Integral | IntegralTime):
            below = {key: variable for key, variable in below.items() if not binds(node, variable)}
        elif isinstance(node, EvaluatedAt):
            aliased = free[id(node.target)]
            outside = [free[id(child)] for child in node.coordinates]
            below = {key: variable for key, variable in aliased.items() if variable.tag != node.tag}
            below.update({key: variable for table in outside for key, variable in table.items()})
        free[id(node)] = below
    return list(free[id(target)].values())


def binds(node: Integral | IntegralTime, variable: Variable) -> bool:
    """Whether an integral integrates over ``variable``."""
    if isinstance(node, IntegralTime):
        return variable.axis == "temporal" and identity(variable) == identity(node.time_var)
    if not variable.at_points:
        return False
    return node.integration_var is None or not same_point(variable, node.integration_var)
