"""Which region an integral runs over: the free variables of an integrand."""

from __future__ import annotations

from collections.abc import Iterable

from jno.trace import Integral, Node, Variable, walk

from ._graph import point_tag, unaliased


def free_variables(target: Node) -> list[Variable]:
    """Spatial variables of an integrand that no integral inside it binds, in order of first appearance."""
    free: dict[int, dict[int, Variable]] = {}
    for node in walk([target]):
        below: dict[int, Variable] = {}
        for child in node.children():
            below.update(free[id(child)])
        if isinstance(node, Variable) and node.axis == "spatial":
            below = {id(node): node}
        elif isinstance(node, Integral):
            outer = node.integration_var
            below = {} if outer is None else {k: v for k, v in below.items() if same_point(v, outer)}
        free[id(node)] = below
    return list(free[id(target)].values())


def same_point(first: Variable, second: Variable) -> bool:
    """Whether two variables are components (coordinates, normals) of the same point."""
    return region(first) == region(second) and first.copy == second.copy


def region(variable: Variable) -> str:
    """Tag of the region the variable's points belong to."""
    return unaliased(point_tag(variable))


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
