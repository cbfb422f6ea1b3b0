"""Checks of what users hand to the operators of `Placeholder`."""

from __future__ import annotations

from typing import Any

from ._leaves import Variable
from ._operations import FunctionCall
from ._placeholder import Placeholder

PRINT_MODES = ("shape", "stats", "value", "all")


def check_variable(value: Any, operator: str) -> Variable:
    """``value`` if it is a `Variable`, or a vector of all components of a normal as one; else a TypeError."""
    if operator != "integrate":
        value = _whole_normal(value)
    if not isinstance(value, Variable):
        if isinstance(value, FunctionCall) and value.align == "columns":
            raise TypeError(
                f".{operator}({value!r}): a direction is the whole normal, jno.np.vector(nx, ny) with the components "
                "in their order, unscaled; the derivative along another vector v is jno.np.inner(u.grad(x, y), v)"
            )
        raise TypeError(
            f".{operator}(...) differentiates or integrates with respect to a Variable from domain.variable(...), "
            f"got {value!r} of type {type(value).__name__}"
        )
    return value


def _whole_normal(value: Any) -> Any:
    """One `Variable` for ``jno.np.vector(nx, ny)``, everything else as it is."""
    if not isinstance(value, FunctionCall) or value.align != "columns":
        return value
    parts = value.args
    first = parts[0]
    if not isinstance(first, Variable) or not first.tag.startswith("n_") or first.domain is None:
        return value
    expected = [(first.tag, (i, i + 1)) for i in range(first.domain.dimension)]
    if [(part.tag, part.dim) for part in parts if isinstance(part, Variable)] != expected or len(parts) != len(
        expected
    ):
        return value
    return Variable(first.tag, (0, len(parts)), first.domain, copy=first.copy)


def check_variables(values: tuple[Any, ...], operator: str) -> tuple[Variable, ...]:
    """At least one `Variable`, none of them temporal mixed up with nothing else."""
    if not values:
        raise TypeError(f".{operator}() needs at least one Variable, e.g. u.{operator}(x, y)")
    return tuple(check_variable(v, operator) for v in values)


def check_index(index: Any) -> tuple[Any, ...]:
    """A NumPy basic index as a tuple; arrays of integers are allowed, expressions are not."""
    entries = index if isinstance(index, tuple) else (index,)
    for entry in entries:
        if isinstance(entry, Placeholder):
            raise TypeError("an expression cannot be indexed by another expression; use jno.np.where for selections")
    return entries
