"""Refusing derivatives that would be silently wrong: automatic differentiation here is point-wise.

A derivative pushes one tangent through all points at once, which is the derivative at each point only if no point
influences another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from jaxtyping import PyTree

from jno.trace import NetworkGradient, title, walk

from ._coupling import differentiated, untested_calls
from ._point_data import check_point_data
from ._program import Program

_MANY = 4096
"""Coordinates from which on it is worth knowing whether networks couple points, were it only for blocks."""


def check_pointwise(program: Program, modules: Mapping[int, PyTree]) -> None:
    """Raise when an expression that is differentiated couples points, or contains data that is known at points only.

    Networks whose points will matter are tested in the same evaluation, so that `Program.facts` need not do it.

    Raises:
        ValueError: naming the expression and the tag.
    """
    check_point_data(program, modules)
    targets = [at for at in differentiated(program.roots, program.graph) if program.has_several_points(at.tag)]
    calls = untested_calls(program.roots, program.graph) if _needs_facts(program) else []
    for target in program.coupled([*targets, *calls], modules):
        if target in targets:
            raise ValueError(
                f"'{title(target.node)}' is differentiated at the points of {target.tag!r}, but moving some points "
                "changes its value at others (batch normalisation, convolution or attention over points, a mean inside "
                "jno.fn): the derivative at a point is not defined. Use scheme='finite_difference', or a "
                "point-wise network"
            )


def _needs_facts(program: Program) -> bool:
    """Whether samples and levels will be folded, points cut into blocks, or gradients taken point by point."""
    folds = program.layout.samples * program.layout.levels > 1
    return folds or has_many_points(program) or any(isinstance(node, NetworkGradient) for node in walk(program.roots))


def has_many_points(program: Program) -> bool:
    """Whether training may cut the points into blocks."""
    return any(kind == "points" and math.prod(array.shape) >= _MANY for (kind, _), array in program.sources.items())
