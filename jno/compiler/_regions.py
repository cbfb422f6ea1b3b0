"""Which region an integral runs over."""

from __future__ import annotations

from collections.abc import Iterable

from jno.trace import Node, Variable, free_variables, region


def free_points(target: Node) -> list[Variable]:
    """Spatial variables of an integrand that no integral inside it binds, in order of first appearance."""
    return [variable for variable in free_variables(target) if variable.at_points]


def only_region(variables: Iterable[Variable]) -> Variable:
    """A variable of the one region that all variables belong to.

    Raises:
        ValueError: none, or several regions.
    """
    regions = {region(variable): variable for variable in variables}
    if len(regions) == 1:
        return next(iter(regions.values()))
    if not regions:
        raise ValueError("integrate(): the expression has no spatial variable, so its region is unknown")
    raise ValueError(
        f"integrate(): the expression names several regions {list(regions)}; integrate each of them separately, or "
        "name the outer variable with integrate(var=x)"
    )
