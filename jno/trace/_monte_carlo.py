"""Integrals over shapes without a mesh: the mean over the sampled points times the measure of the region."""

from __future__ import annotations

from typing import Any

from ._coordinates import free_variables, region
from ._operations import BinaryOp, FunctionCall, Reduction, binary
from ._placeholder import Placeholder


def mean_times_measure(target: Placeholder) -> BinaryOp | None:
    """The Monte Carlo estimate of an integral; `None` where the region of the integrand has a quadrature rule."""
    variables = [variable for variable in free_variables(target) if variable.at_points]
    regions = {region(variable) for variable in variables}
    if len(regions) != 1 or not getattr(variables[0].domain, "integrates_by_mean", False):
        return None
    domain = variables[0].domain
    integrand = FunctionCall(_one_number, [target], "integrand", align="broadcast")
    return binary("*", domain.measure(*regions), Reduction("mean", integrand))


def refuse_points_with_times(target: Placeholder) -> None:
    """An integral over space is taken at one time."""
    for variable in free_variables(target):
        if variable.at_points and getattr(variable.domain, "has_times", _never)(region(variable)):
            raise ValueError(
                f"integrate(): the points of {region(variable)!r} have times of their own, and an integral over space "
                "is taken at one time: sample them at it, domain.variable(tag, sample=..., time_value=t), or make the "
                "domain with levels, time=(t0, t1, n)"
            )


def _never(tag: str) -> bool:
    return False


def _one_number(values: Any) -> Any:
    if values.ndim > 1 and values.shape[-1] != 1:
        raise ValueError(
            f"integrate(): the integrand must be one number per point, it has shape {tuple(values.shape)}; take a "
            "component or form the product with the normal first"
        )
    return values
