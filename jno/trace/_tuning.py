"""`Tuning`: what a sweep may try on a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jno.utils import is_integer

from ._optimizer_forms import Optimizer, is_optimizer


@dataclasses.dataclass(frozen=True)
class Tuning:
    """Candidates by control; a control without candidates stays as the model has it."""

    freeze: tuple[bool, ...] = ()
    lora: tuple[tuple[int, float | int] | None, ...] = ()
    optimizer: tuple[Optimizer, ...] = ()
    lr: tuple[float | int | Callable[..., Any], ...] = ()
    dtype: tuple[Any, ...] = ()

    @property
    def candidates(self) -> dict[str, tuple[Any, ...]]:
        """The controls that have candidates."""
        fields = {field.name: self.__dict__[field.name] for field in dataclasses.fields(self)}
        return {name: options for name, options in fields.items() if options}

    def with_candidates(self, **candidates: Sequence[object] | None) -> Tuning:
        """These candidates, where some are not ``None`` replaced by them.

        Raises:
            TypeError: an argument that is not a list, or a candidate of the wrong type.
            ValueError: no candidates at all, an empty list, or a candidate out of range.
        """
        by_control = {control: options for control, options in candidates.items() if options is not None}
        if not by_control:
            raise ValueError(f"tune() needs candidates for at least one of {', '.join(candidates)}")
        for control, options in by_control.items():
            if not isinstance(options, list | tuple):
                raise TypeError(f"tune({control}=...) takes a list of candidates, got {type(options).__name__}")
            if not options:
                raise ValueError(f"tune({control}=[]) has no candidates")
            passes, expected = _CHECKS[control]
            for option in options:
                if not passes(option):
                    raise TypeError(f"tune({control}=[... {option!r} ...]): a candidate must be {expected}")
        changes: dict[str, Any] = {control: tuple(options) for control, options in by_control.items()}
        return dataclasses.replace(self, **changes)


def is_floating(dtype: Any) -> bool:
    """Whether NumPy takes ``dtype`` for a floating type, those of JAX included."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        return False
    return name.startswith(("float", "bfloat"))


def _is_adapter(candidate: object) -> bool:
    if candidate is None:
        return True
    if not isinstance(candidate, tuple) or len(candidate) != 2:
        return False
    rank, alpha = candidate
    return is_integer(rank, 1) and isinstance(alpha, int | float)


def _is_rate(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return value > 0 if isinstance(value, int | float) else callable(value)


_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "freeze": (lambda value: isinstance(value, bool), "True or False"),
    "lora": (_is_adapter, "a pair (rank, alpha) with a rank of at least 1, or None"),
    "optimizer": (is_optimizer, "an optax transform or a factory such as optax.adam"),
    "lr": (_is_rate, "a positive number or a schedule"),
    "dtype": (
        lambda value: value is not None and not isinstance(value, str) and is_floating(value),
        "a floating dtype object such as jnp.float32",
    ),
}
"""What a candidate of a control must be: a test, and its description."""
