"""What the residuals have in common."""

from __future__ import annotations

from typing import Any

from jno.symbolic import components
from jno.trace import OPERAND, Placeholder, Variable, as_node
from jno.utils import Kind, SharedDocumentation
from jno.utils.ad_mode import AUTOMATIC, validate_scheme

FIRST_ORDER_SCHEME = "first-order scheme of the derivatives. Default automatic differentiation."
RATE_SCHEME = (
    "scheme of the derivatives; of a second-order AD suffix :math:`u_t` uses plain AD. Default automatic "
    "differentiation."
)
OPTIONAL_TIME = "time variable; default None omits :math:`u_t`."

documented = SharedDocumentation(
    {
        "u": "unknown.",
        "t": "time variable.",
        "spatial": "spatial variables, at least one.",
        "variables": "spatial variables, at least one.",
        "diffusivity": ":math:`D`. Default 1.",
        "source": ":math:`s`. Default 0.",
        "scheme": "scheme of the derivatives. Default automatic differentiation.",
    },
    returns="Node of the shape of ``u``.",
    raises={
        "ValueError": "no spatial variable, time among them, or unknown scheme.",
        "TypeError": "not a `Variable`.",
    },
)
"""What the docstrings of the residuals of one equation have in common."""


SQUARED = Kind(
    "an expression, an array or a number below 1e150 in size",
    lambda value: not isinstance(value, list | tuple) and OPERAND.accepts(value) and _has_square(value),
    TypeError,
)
"""A coefficient that is squared."""


def _has_square(value: object) -> bool:
    return not isinstance(value, int | float) or abs(value) < _LARGEST


_LARGEST = 1e150


def spatial_variables(variables: tuple[Any, ...], helper: str) -> tuple[Variable, ...]:
    """``variables``, checked to be at least one and none of them time.

    Raises:
        ValueError: none, or a temporal one (the usual mistake: time given in the place of a coordinate).
        TypeError: not a `Variable`.
    """
    if not variables:
        raise ValueError(f"jno.fn.{helper} needs at least one spatial variable, e.g. x, or x, y")
    for variable in variables:
        if not isinstance(variable, Variable):
            raise TypeError(
                f"jno.fn.{helper}: spatial variables come from domain.variable(...), got {variable!r} of "
                f"type {type(variable).__name__}"
            )
        if variable.axis == "temporal":
            raise ValueError(f"jno.fn.{helper}: {variable!r} is time but stands in the place of a spatial variable")
    return variables


def first_order(scheme: str) -> str:
    """Scheme of the first derivatives in a residual that also has second ones.

    ``":fwd-over-rev"`` and the like say nothing about first derivatives: these use plain automatic
    differentiation.
    """
    validate_scheme(scheme, 2)
    return AUTOMATIC if "-over-" in scheme else scheme


def laplacian(u: object, variables: tuple[Any, ...], scheme: str) -> Any:
    """Sum of second derivatives."""
    return as_node(u).laplacian(*variables, scheme=scheme)


def convection(u: object, velocity: object, variables: tuple[Any, ...], scheme: str) -> Any:
    """``velocity . grad u``."""
    field = as_node(u)
    parts = components(velocity, len(variables), "velocity")
    total, *remaining_terms = [
        part * field.d(variable, scheme) for part, variable in zip(parts, variables, strict=True)
    ]
    for term in remaining_terms:
        total = total + term
    return total


def plus_rate(expression: Placeholder, u: object, t: object, scheme: str) -> Any:
    """``u_t + expression``, or the expression alone in a steady problem (``t is None``)."""
    return expression if t is None else as_node(u).d(t, scheme) + expression


def minus(expression: Placeholder, source: object) -> Any:
    """``expression - source``; a zero source leaves no node behind."""
    absent = isinstance(source, int | float) and source == 0
    return expression if absent else expression - source
