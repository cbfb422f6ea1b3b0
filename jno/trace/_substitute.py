"""Re-calling an expression with other variables."""

from __future__ import annotations

from typing import Any

from ._derivatives import DerivativeSum, Hessian, Jacobian
from ._integrals import Integral, IntegralTime
from ._leaves import Variable, as_node
from ._placeholder import Placeholder
from ._walk import rewrite, walk

_BINDERS = {
    Jacobian: "variables",
    Hessian: "variables",
    DerivativeSum: "variables",
    Integral: "integration_var",
    IntegralTime: "time_var",
}


def defining_variables(expression: Placeholder) -> tuple[Variable, ...]:
    """The distinct variables of an expression in order of first appearance."""
    return tuple(node for node in walk([expression]) if isinstance(node, Variable))


def call_with_variables(expression: Placeholder, new_variables: tuple[Any, ...]) -> Any:
    """``expression`` with its defining variables replaced positionally."""
    old = defining_variables(expression)
    if len(new_variables) > len(old):
        names = ", ".join(map(repr, old)) or "none"
        raise ValueError(
            f"the expression has {len(old)} variable(s) ({names}) and was called with {len(new_variables)} arguments"
        )
    return substitute(expression, dict(zip(map(id, old), map(as_node, new_variables), strict=False)))


def substitute(expression: Placeholder, replacements: dict[int, Any]) -> Any:
    """Replace variables (given by ``id``) by nodes, inside derivatives and integrals too."""

    def replace(node: Any) -> Any:
        _check_binder(node)
        return replacements.get(id(node), node)

    return rewrite(expression, replace)


def _check_binder(node: Any) -> None:
    field = _BINDERS.get(type(node))
    if field is None:
        return
    bound = node.__dict__[field]
    for variable in bound if isinstance(bound, tuple) else (bound,):
        if variable is not None and not isinstance(variable, Variable):
            raise TypeError(
                f"a derivative or integral with respect to a variable cannot be re-called with {variable!r}, "
                "which is not a Variable"
            )
