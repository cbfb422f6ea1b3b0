"""Kinds of parameters: whether a value is right, may be either accepted or refused, or must be refused."""

from __future__ import annotations

import inspect
import math
import os
import re
from collections.abc import Callable
from enum import IntEnum
from numbers import Integral, Real
from typing import Any

import numpy as np

from jno.domain import DomainView
from jno.trace import Model, Placeholder, Variable


class Verdict(IntEnum):
    """What must become of a value; of the alternatives of a parameter the mildest counts."""

    RIGHT = 0
    EITHER = 1
    """Unusual but meaningful, such as 1e300: it may be refused, and must not end in a raw error or a hang."""
    WRONG = 2


Kind = Callable[[Any], Verdict]
_HUGE = 1e15


def _is(right: bool, either: bool = False) -> Verdict:
    return Verdict.RIGHT if right else Verdict.EITHER if either else Verdict.WRONG


def any_of(*kinds: Kind) -> Kind:
    """The union of kinds."""
    return lambda value: min(kind(value) for kind in kinds)


def none(value: Any) -> Verdict:
    """``None``."""
    return _is(value is None)


def optional(kind: Kind) -> Kind:
    """The kind, or ``None``."""
    return any_of(none, kind)


def flag(value: Any) -> Verdict:
    """``True`` or ``False``."""
    return _is(isinstance(value, bool))


def integer(low: int, high: float = math.inf) -> Kind:
    """An integer from ``low`` to ``high``; an enormous one may be refused."""

    def kind(value: Any) -> Verdict:
        number = isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high
        return _is(number and abs(value) < _HUGE, number)

    return kind


def size(low: int) -> Kind:
    """An integer that memory is needed for: an enormous one must be refused."""
    return integer(low, _HUGE)


def number(low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False) -> Kind:
    """A finite real number of a range; ``above`` and ``below`` say that its ends do not belong to it."""

    def kind(value: Any) -> Verdict:
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            return Verdict.WRONG
        inside = (value > low if above else value >= low) and (value < high if below else value <= high)
        return _is(inside and (value == 0 or 1e-15 < abs(value) < _HUGE), inside)

    return kind


positive = number(0, above=True)
real = number()


def text(value: Any) -> Verdict:
    """Any string."""
    return _is(isinstance(value, str))


def name(value: Any) -> Verdict:
    """A string that says something."""
    return _is(isinstance(value, str) and value != "", isinstance(value, str))


def path(value: Any) -> Verdict:
    """A path of a file or folder, which need not exist."""
    return _is(isinstance(value, str | os.PathLike) and value != "", isinstance(value, str))


def choice(*options: Any) -> Kind:
    """One of these."""
    return lambda value: _is(any(type(value) is type(option) and value == option for option in options))


def function(value: Any) -> Verdict:
    """What can be called with one argument or more."""
    if not callable(value):
        return Verdict.WRONG
    if inspect.isfunction(value) and not inspect.signature(value).parameters:
        return Verdict.WRONG
    return Verdict.EITHER


def called(value: Any) -> Verdict:
    """A function whose arity is not known beforehand."""
    return _is(False, callable(value))


def _is_numeric(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind in "iufc"
    except ValueError:
        return False


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (hasattr(value, "dtype") and value.dtype.kind == "b")


def operand(value: Any) -> Verdict:
    """What arithmetic takes: an expression, a number, an array."""
    if isinstance(value, Placeholder):
        return Verdict.RIGHT
    if value is None or isinstance(value, str | bytes | dict | set) or callable(value):
        return Verdict.WRONG
    enormous = isinstance(value, int) and not isinstance(value, bool)
    return _is(False, enormous or _is_numeric(value) or (_is_truth(value) and not isinstance(value, bool)))


coefficient = any_of(operand, called)


def array(value: Any) -> Verdict:
    """Numbers in an array of any shape: shapes that do not fit are refused, which the call says."""
    return _is(False, not isinstance(value, bool) and value is not None and _is_numeric(value))


def variable(value: Any) -> Verdict:
    """One variable of a domain."""
    return _is(isinstance(value, Variable), isinstance(value, Placeholder))


def axis(value: Any) -> Verdict:
    """An axis, or a tuple of axes."""
    axes = value if isinstance(value, tuple) else (value,)
    whole = all(isinstance(entry, int) and not isinstance(entry, bool) for entry in axes)
    return _is(value is None, whole and axes != ())


def instance(*types: type) -> Kind:
    """An object of one of these types, empty ones included."""
    return lambda value: _is(False, isinstance(value, types))


def entries(kind: Kind, *types: type) -> Kind:
    """A list (or one of ``types``) of values of a kind."""

    def of(value: Any) -> Verdict:
        if not isinstance(value, types or (list, tuple)):
            return Verdict.WRONG
        contents = value.values() if isinstance(value, dict) else value
        return max((Verdict.EITHER, *map(kind, contents)))

    return of


def pair(kind: Kind) -> Kind:
    """Two values of a kind."""

    def of(value: Any) -> Verdict:
        try:
            parts = list(value)
        except TypeError:
            return Verdict.WRONG
        if isinstance(value, dict | set) or len(parts) != 2:
            return Verdict.WRONG
        return max((Verdict.EITHER, *map(kind, parts)))

    return of


def empty(value: Any) -> Verdict:
    """A list, a tuple or a dict without entries."""
    return _is(False, isinstance(value, list | tuple | dict) and not value)


def unusual(kind: Kind) -> Kind:
    """Values of a kind that another argument may exclude."""
    return lambda value: max(Verdict.EITHER, kind(value))


def nothing(value: Any) -> Verdict:
    """No value of the pool is right."""
    return Verdict.WRONG


def unknown(value: Any) -> Verdict:
    """The parameter takes anything: nothing must end in a raw error."""
    return Verdict.RIGHT


model = instance(Model)
domain = instance(DomainView)

BY_NAME: dict[str, Kind] = {
    "scheme": nothing,
    "axis": optional(axis),
    "key": optional(lambda value: _is(False, hasattr(value, "dtype") and value.dtype == np.uint32)),
    "path": path,
    "data_only": flag,
    "trusted": flag,
    "save_path": path,
    "interval": integer(1),
    "mesh_size": positive,
    "algorithm": integer(1, 11),
    "time": optional(array),
    "mask": any_of(none, unusual(flag)),
    "param_mask": any_of(none, unusual(flag)),
    "name": text,
    "resample_every": integer(1),
    "start_epoch": integer(0),
    "resample_fraction": number(0, 1),
    "num_losses": optional(integer(1)),
    "loss_floor": number(0),
    "eps": number(0),
    "mode": nothing,
    "source": coefficient,
    "seed": integer(-_HUGE.__int__()),
}
"""Kinds of parameters that mean the same everywhere."""

_BY_ANNOTATION: dict[str, Kind] = {
    "bool": flag,
    "int": integer(-int(_HUGE)),
    "float": real,
    "float | int": real,
    "str": text,
    "None": none,
    "str | Path": path,
    "str | os.PathLike[str]": path,
}


def of_parameter(parameter: inspect.Parameter) -> Kind | None:
    """The kind that name and annotation tell, if they do."""
    if parameter.name in BY_NAME:
        kind = BY_NAME[parameter.name]
        return optional(kind) if parameter.default is None else kind
    annotation = str(parameter.annotation)
    bare = re.sub(r" \| None$", "", annotation)
    kind = _BY_ANNOTATION.get(bare)
    if kind is None:
        return None
    return optional(kind) if bare != annotation else kind
