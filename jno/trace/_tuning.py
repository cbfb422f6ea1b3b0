"""`Tuning`: what a sweep may try on a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from jno.utils import is_integer


@dataclasses.dataclass(frozen=True)
class Tuning:
    """Candidates by control; a control without candidates stays as the model has it."""

    freeze: tuple[bool, ...] = ()
    lora: tuple[tuple[int, float] | None, ...] = ()
    optimizer: tuple[Any, ...] = ()
    lr: tuple[Any, ...] = ()
    dtype: tuple[Any, ...] = ()

    @property
    def candidates(self) -> dict[str, tuple[Any, ...]]:
        """The controls that have candidates."""
        fields = {field.name: self.__dict__[field.name] for field in dataclasses.fields(self)}
        return {name: options for name, options in fields.items() if options}


def checked_tuning(known: Tuning, is_optimizer: Callable[[Any], bool], **given: list[Any] | None) -> Tuning:
    """``known`` with the given candidates.

    Raises:
        TypeError: no list, or a candidate of the wrong type.
        ValueError: nothing given, an empty list, or a candidate out of range.
    """
    wanted = {name: options for name, options in given.items() if options is not None}
    if not wanted:
        raise ValueError(f"tune() needs candidates for at least one of {', '.join(given)}")
    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        "freeze": (lambda value: isinstance(value, bool), "True or False"),
        "lora": (_is_adapter, "a pair (rank, alpha) with a rank of at least 1, or None"),
        "optimizer": (is_optimizer, "an optax transform or a factory such as optax.adam"),
        "lr": (_is_rate, "a positive number or a schedule"),
        "dtype": (_is_floating, "a floating dtype object such as jnp.float32"),
    }
    for name, options in wanted.items():
        if not isinstance(options, list | tuple):
            raise TypeError(f"tune({name}=...) takes a list of candidates, got {type(options).__name__}")
        if not options:
            raise ValueError(f"tune({name}=[]) has no candidates")
        passes, expected = checks[name]
        for option in options:
            if not passes(option):
                raise TypeError(f"tune({name}=[... {option!r} ...]): a candidate must be {expected}")
    return dataclasses.replace(known, **{name: tuple(options) for name, options in wanted.items()})


def _is_adapter(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    rank, alpha = value
    return is_integer(rank, 1) and isinstance(alpha, int | float)


def _is_rate(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return value > 0 if isinstance(value, int | float) else callable(value)


def _is_floating(value: Any) -> bool:
    if isinstance(value, str) or value is None:
        return False
    try:
        name = np.dtype(value).name
    except TypeError:
        return False
    return name.startswith(("float", "bfloat"))
