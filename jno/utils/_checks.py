"""Checks of arguments, with one form of the message: what was passed, then what is allowed.

An argument is named as a user writes it, with its function where that is needed to find it: ``epochs`` gives
``epochs=0: it must be an integer of at least 1``, ``svgd(num_iters)`` gives ``svgd(num_iters=0): num_iters must be …``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import TypeGuard

import jax
import numpy as np

_LONGEST = 200
"""Characters of a value that a message shows."""


_LARGEST = 2**63 - 1


def is_integer(value: object, minimum: float | int = -math.inf) -> TypeGuard[int]:
    """Whether ``value`` is a Python integer of at least ``minimum`` (``True`` is not)."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def is_integral(value: object, minimum: float | int = -math.inf) -> TypeGuard[int]:
    """Whether ``value`` is an integer of at least ``minimum``, one of NumPy included (``True`` is not)."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= minimum


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether ``value`` is a Python number that is real and finite (``True`` is not)."""
    return isinstance(value, int | float) and is_real(value)


def is_real(value: object) -> TypeGuard[float]:
    """Whether ``value`` is a real and finite number, one of NumPy included (``True`` is not)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def quoted(names: Iterable[object]) -> str:
    """Names as a message lists them.

    Example:
        >>> from jno.utils import quoted
        >>> quoted(["min", "max"])
        "'min', 'max'"
    """
    return ", ".join(map(repr, names))


def argument_text(name: str, value: object) -> str:
    """An argument with what was passed.

    Example:
        >>> from jno.utils import argument_text
        >>> argument_text("solve(epochs)", 0)
        'solve(epochs=0)'
    """
    text = _shown(value)
    return f"{name[:-1]}={text})" if name.endswith(")") else f"{name}={text}"


def _shown(value: object) -> str:
    """A value in a message: of an array with several entries its shape, of a long text its beginning."""
    if isinstance(value, np.ndarray | jax.Array) and value.size != 1:
        return f"{type(value).__name__} of shape {value.shape}"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def refusal(name: str, value: object, allowed: str, subject: str | None = None) -> str:
    """The message about an argument that must be something else.

    Args:
        name: the argument, ``"epochs"`` or with its function ``"solve(epochs)"``.
        value: what was passed.
        allowed: what is allowed, such as ``"an integer of at least 1"``.
        subject: of the sentence (default: the argument's name in the call of a function, else ``it``).

    Example:
        >>> from jno.utils import refusal
        >>> refusal("solve(epochs)", 0, "an integer of at least 1")
        'solve(epochs=0): epochs must be an integer of at least 1'
    """
    if subject is None:
        subject = name[:-1].rpartition("(")[2] if name.endswith(")") else "it"
    return f"{argument_text(name, value)}: {subject} must be {allowed}"


def require_int(value: object, name: str, *, minimum: int, subject: str | None = None) -> int:
    """``value``, a Python integer of at least ``minimum``; the other arguments are those of `refusal`.

    Raises:
        ValueError: naming the argument.

    Example:
        >>> from jno.utils import require_int
        >>> require_int(3, "solve(epochs)", minimum=1)
        3
    """
    if not is_integer(value, minimum):
        raise ValueError(refusal(name, value, f"an integer of at least {minimum}", subject))
    if value > _LARGEST:
        raise ValueError(refusal(name, value, f"an integer of at most 64 bits, {_LARGEST}", subject))
    return value


def require_number(value: object, name: str, *, subject: str | None = None) -> int | float:
    """``value``, a finite real number.

    Raises:
        ValueError: naming the argument.
    """
    if not is_number(value):
        raise ValueError(refusal(name, value, "a finite number", subject))
    return value


def require_positive(value: object, name: str, *, subject: str | None = None) -> int | float:
    """``value``, a finite real number above zero.

    Raises:
        ValueError: naming the argument.
    """
    if not is_number(value) or value <= 0:
        raise ValueError(refusal(name, value, "a positive number", subject))
    return value


def require_nonnegative(value: object, name: str, *, subject: str | None = None) -> int | float:
    """``value``, a finite real number of at least zero.

    Raises:
        ValueError: naming the argument.
    """
    if not is_number(value) or value < 0:
        raise ValueError(refusal(name, value, "a number of at least 0", subject))
    return value


def require_bool(value: object, name: str, *, subject: str | None = None) -> bool:
    """``value``, either ``True`` or ``False``.

    Raises:
        TypeError: naming the argument.
    """
    if not isinstance(value, bool):
        raise TypeError(refusal(name, value, "True or False", subject))
    return value


def require_callable(value: object, name: str) -> None:
    """Refuse what cannot be called.

    Raises:
        TypeError: naming the argument and the type of its value.
    """
    if not callable(value):
        raise TypeError(f"{argument_text(name, value)}: expected a function, got {type(value).__name__}")


def require_one_of(value: object, name: str, allowed: Collection[object]) -> None:
    """Refuse what is not one of the allowed values.

    Raises:
        ValueError: naming the argument and the allowed values.

    Example:
        >>> from jno.utils import require_one_of
        >>> require_one_of("tflite", "export(format)", ("stablehlo", "onnx"))
        Traceback (most recent call last):
            ...
        ValueError: export(format='tflite'): allowed are 'stablehlo', 'onnx'
    """
    if not any(type(value) is type(option) and value == option for option in allowed):
        raise ValueError(f"{argument_text(name, value)}: allowed are {quoted(allowed)}")
