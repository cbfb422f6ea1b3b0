"""Values of any kind as plain JSON: what tables, figures and journals of a sweep show of its options."""

from __future__ import annotations

import functools
import inspect
from typing import Any, TypeAlias

import numpy as np

Label: TypeAlias = bool | int | float | str
"""A value as plain JSON."""

_PLAIN = (bool, int, float, str, np.generic)


def is_plain(value: object) -> bool:
    """Whether a value is a number, a string or a boolean, one of NumPy included."""
    return isinstance(value, _PLAIN)


def is_same(left: object, right: object) -> bool:
    """Identity, or equality of plain values; anything else may compare element by element, or not at all."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        return len(left) == len(right) and all(map(is_same, left, right))
    return is_plain(left) and bool(left == right)


@functools.singledispatch
def plain_label(value: object) -> Label:
    """A JSON value that stands for any object: numbers, strings and booleans as they are, else a name."""
    if callable(value):
        plain = inspect.unwrap(value)  # jitted functions and those with custom derivatives wrap the one with the name
        if inspect.isclass(plain) or inspect.isroutine(plain):
            return plain.__name__
    return type(value).__name__


@plain_label.register(bool)
@plain_label.register(int)
@plain_label.register(float)
@plain_label.register(str)
def _plain(value: Any) -> Label:
    return value.item() if isinstance(value, np.generic) else value


@plain_label.register(np.generic)
def _scalar(value: Any) -> Label:
    return value.item()


@plain_label.register(type(None))
def _none(value: None) -> Label:
    return "None"


@plain_label.register(tuple)
@plain_label.register(list)
def _entries(values: Any) -> Label:
    inner = ", ".join(str(plain_label(entry)) for entry in values)
    brackets: dict[type, str] = {tuple: f"({inner})", list: f"[{inner}]"}
    return brackets.get(type(values), type(values).__name__)  # optax transforms are named tuples


@plain_label.register(functools.partial)
def _partial(value: Any) -> Label:
    arguments = [str(plain_label(entry)) for entry in value.args]
    arguments += [f"{name}={plain_label(entry)}" for name, entry in value.keywords.items()]
    return f"{plain_label(value.func)}({', '.join(arguments)})"
