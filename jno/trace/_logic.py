"""Comparisons, logic and truth of expressions, and what NumPy and JAX get to know of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ._values import is_value

NUMPY_OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "true_divide": "/",
    "power": "**",
    "matmul": "@",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
    "bitwise_and": "&",
    "logical_and": "&",
    "bitwise_or": "|",
    "logical_or": "|",
}
"""NumPy's function for an operator → the operator: what ``array * u`` arrives as."""

_OTHER_NAMES = {"absolute": "abs", "fabs": "abs", "amax": "max", "amin": "min"}


class Logic:
    """The operators ``< <= > >= == != & | ~`` and the protocols by which other libraries meet an expression."""

    def __lt__(self, operand: object) -> Any:
        return self._binary("<", self, operand)

    def __le__(self, operand: object) -> Any:
        return self._binary("<=", self, operand)

    def __gt__(self, operand: object) -> Any:
        return self._binary(">", self, operand)

    def __ge__(self, operand: object) -> Any:
        return self._binary(">=", self, operand)

    def __eq__(self, operand: object) -> Any:
        return self._binary("==", self, operand) if _is_value(operand) else NotImplemented

    def __ne__(self, operand: object) -> Any:
        return self._binary("!=", self, operand) if _is_value(operand) else NotImplemented

    __hash__ = object.__hash__

    @abstractmethod
    def _binary(self, operator: str, left: object, right: object) -> Any:
        """The node of a binary operator."""

    @abstractmethod
    def _invert(self) -> Any:
        """The node of ``~``."""

    def equal(self, operand: object) -> Any:
        """Element-wise ``self == other``; between two expressions the operator ``==`` compares identity."""
        return self._binary("==", self, operand)

    def not_equal(self, operand: object) -> Any:
        """Element-wise ``self != other``; between two expressions the operator ``!=`` compares identity."""
        return self._binary("!=", self, operand)

    def __and__(self, operand: object) -> Any:
        return self._binary("&", self, operand)

    def __rand__(self, operand: object) -> Any:
        return self._binary("&", operand, self)

    def __or__(self, operand: object) -> Any:
        return self._binary("|", self, operand)

    def __ror__(self, operand: object) -> Any:
        return self._binary("|", operand, self)

    def __invert__(self) -> Any:
        return self._invert()

    def __bool__(self) -> bool:
        raise TypeError(
            f"the expression {self!r} has no truth value while the problem is written down: 'if', 'and', 'or', 'not' "
            "and chains such as 'a < x < b' cannot decide on it. Combine conditions with &, | and ~, as in (a < x) & "
            "(x < b), choose with jno.np.where(condition, u, v), compare two expressions element by element with "
            "u.equal(v), and test whether there is an expression with 'u is not None'"
        )

    @property
    def dtype(self) -> NoReturn:
        """Not known before compilation; functions of JAX look here first.

        Raises:
            ValueError: always.
        """
        raise _no_jax(self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: Any) -> Any:
        operator = NUMPY_OPERATORS.get(ufunc.__name__)
        in_place = options.keys() == {"out"} and options["out"][0] is inputs[0]
        if method == "__call__" and operator is not None and (not options or in_place):
            return self._binary(operator, *inputs)
        raise _no_numpy(ufunc.__name__)

    def __array_function__(
        self, function: Callable[..., object], types: object, arguments: object, options: object
    ) -> NoReturn:
        # The shape is what JAX asks for next, of a network call, whose method `dtype` it takes for a type.
        raise _no_jax(self) if function.__name__ == "shape" else _no_numpy(function.__name__)


def _no_jax(expression: object) -> ValueError:
    # JAX would replace a TypeError by one of its own.
    return ValueError(
        f"the expression {expression!r} has no values yet, so functions of jax.numpy do not apply to it: use those "
        "of jno.np, such as jno.np.sin(u) instead of jnp.sin(u), or wrap your own: jno.fn(function, [u])"
    )


def _no_numpy(name: str) -> TypeError:
    name_here = _OTHER_NAMES.get(name, name)
    return TypeError(
        f"numpy.{name} computes with arrays, and an expression has no values yet: use jno.np.{name_here}, or, where "
        "jno.np has no such function, wrap one of jax.numpy: jno.fn(function, [u])"
    )


def _is_value(operand: object) -> bool:
    """Whether ``==`` compares element by element: with numbers and arrays (and bools, which are refused)."""
    return is_value(operand) or isinstance(operand, list | tuple)
