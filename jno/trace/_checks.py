"""Checks of what users hand to the operators of `Placeholder`."""

from __future__ import annotations

from typing import Any

from ._leaves import Variable
from ._placeholder import Placeholder

PRINT_MODES = ("shape", "stats", "value", "all")


def check_variable(value: Any, operator: str) -> Variable:
    """``value`` if it is a `Variable`, else a TypeError naming the operator."""
    if not isinstance(value, Variable):
        raise TypeError(
            f".{operator}(...) differentiates or integrates with respect to a Variable from domain.variable(...), "
            f"got {value!r} of type {type(value).__name__}"
        )
    return value


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
