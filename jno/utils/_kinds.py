"""Kinds of arguments, and `checked`, which checks those of a function when it is called.

``@checked(patience=integer(1), verbose=FLAG)`` above a function (below ``@classmethod``) refuses every other value by
the message of `refusal`. The default of a parameter is always allowed; ``None`` is where the annotation says so.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import os
import sys
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeAlias, TypeVar

import jax
import numpy as np

from jno.utils._checks import quoted, refusal

P = ParamSpec("P")
R = TypeVar("R")
_Bound: TypeAlias = float | int


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an argument may be.

    Attributes:
        allowed: the end of the sentence "it must be".
        accepts: whether a value is allowed.
        error: the error that refuses one that is not.
        objection: says why a value is not allowed, instead of the sentence with ``allowed``.
    """

    allowed: str
    accepts: Callable[[Any], bool]
    error: type[Exception] = ValueError
    objection: Callable[[Any], str] | None = None

    def __or__(self, alternative: Kind) -> Kind:
        """This kind or another."""
        return Kind(
            f"{self.allowed} or {alternative.allowed}",
            lambda value: self.accepts(value) or alternative.accepts(value),
            self.error,
        )

    def require(self, value: object, name: str, *, optional: bool = False) -> None:
        """Refuse a value that is not of this kind; ``name`` is that of `refusal`.

        Raises:
            ValueError: naming the argument (`TypeError` where no number and no choice is meant).
        """
        if self.accepts(value) or (optional and value is None):
            return
        if self.objection is not None:
            raise self.error(f"{name}: {self.objection(value)}")
        raise self.error(refusal(name, value, f"{self.allowed}, or None" if optional else self.allowed))


def checked(owner: str = "", **kinds: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check arguments by their kinds whenever the function is called.

    Args:
        owner: what messages call the function (its name, of a constructor that of the class).
        kinds: of the parameters; of ``*arguments`` the kind of each.

    Returns:
        The decorator.

    Raises:
        ValueError: (when called) as `Kind.require`.

    Example:
        >>> from jno.utils import FLAG, checked
        >>> @checked(loud=FLAG)
        ... def speak(loud: bool = False) -> None: ...
        >>> speak(loud=1)
        Traceback (most recent call last):
            ...
        TypeError: speak(loud=1): loud must be True or False
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = owner or _owner(function)
        parameters = [_Parameter.of(function, name, kind) for name, kind in kinds.items()]
        single = [(p.place, p.name, p.kind.accepts, p.default, p) for p in parameters if not p.several]
        several = [p for p in parameters if p.several]

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            # functions that build expressions are called very often: no attribute is looked up here
            count = len(args)
            for place, name, accepts, default, parameter in single:
                if place < count:
                    value = args[place]
                elif name in kwargs:
                    value = kwargs[name]
                else:
                    continue
                if value is not default and not accepts(value):
                    parameter.require(value, names)
            for parameter in several:
                for value in args[parameter.place :]:
                    parameter.require(value, names)
            return function(*args, **kwargs)

        return call

    return decorate


def _owner(function: Callable[..., object]) -> str:
    path = function.__qualname__.split(".")
    return path[-2] if path[-1] in ("__init__", "__call__", "__new__") else path[-1]


@dataclasses.dataclass(frozen=True)
class _Parameter:
    """A checked parameter, and where its argument is."""

    name: str
    kind: Kind
    place: int
    several: bool
    default: object
    optional: bool

    @classmethod
    def of(cls, function: Callable[..., object], name: str, kind: Kind) -> _Parameter:
        parameters = inspect.signature(function).parameters
        parameter = parameters[name]
        several = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        by_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        place = sys.maxsize if by_keyword else list(parameters).index(name)
        optional = parameter.default is None or str(parameter.annotation).endswith("| None")
        return cls(name, kind, place, several, parameter.default, optional)

    def require(self, value: object, owner: str) -> None:
        self.kind.require(value, f"{owner}({self.name})", optional=self.optional)


# --- numbers ------------------------------------------------------------------------------------------------------
def _real(value: object) -> float | None:
    """A value as a finite real number, if it is one; also one of NumPy or JAX without axes."""
    if isinstance(value, bool) or (not isinstance(value, Real) and not _is_scalar_array(value)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond all floats
        return None
    return number if math.isfinite(number) else None


def _is_scalar_array(value: object) -> bool:
    return isinstance(value, np.ndarray | jax.Array) and value.shape == () and value.dtype.kind in "iuf"


def _range(minimum: _Bound, maximum: _Bound, above: _Bound, below: _Bound) -> str:
    limits = [
        (minimum, "at least", -math.inf),
        (above, "above", -math.inf),
        (maximum, "at most", math.inf),
        (below, "below", math.inf),
    ]
    return " and ".join(f"{word} {limit:g}" for limit, word, none in limits if limit != none)


def number(
    minimum: _Bound = -math.inf, maximum: _Bound = math.inf, *, above: _Bound = -math.inf, below: _Bound = math.inf
) -> Kind:
    """A finite real number with these bounds; a traced one passes, its value is not known yet."""

    def accepts(value: object) -> bool:
        if isinstance(value, jax.core.Tracer):
            return True
        real = _real(value)
        return real is not None and minimum <= real <= maximum and above < real < below

    if (minimum, maximum, above, below) == (-math.inf, math.inf, 0.0, math.inf):
        return Kind("a positive number", accepts)
    bounds = _range(minimum, maximum, above, below)
    of = "of " * bounds.startswith("at ")
    return Kind(f"a number {of}{bounds}" if bounds else "a finite number", accepts)


def integer(minimum: _Bound = -math.inf, maximum: _Bound = math.inf) -> Kind:
    """An integer with these bounds, one of NumPy included."""

    def accepts(value: object) -> bool:
        return isinstance(value, Integral) and not isinstance(value, bool) and minimum <= int(value) <= maximum

    if math.isfinite(minimum) and math.isfinite(maximum):
        return Kind(f"an integer from {minimum} to {maximum}", accepts)
    bounds = _range(minimum, maximum, -math.inf, math.inf)
    return Kind(f"an integer of {bounds}" if bounds else "an integer", accepts)


# --- everything else ----------------------------------------------------------------------------------------------
def one_of(*options: Any) -> Kind:
    """One of these values."""

    def accepts(value: object) -> bool:
        return any(type(value) is type(option) and value == option for option in options)

    return Kind(f"one of {quoted(options)}", accepts)


def instance(description: str, *types: type) -> Kind:
    """An object of one of these types."""
    return Kind(description, lambda value: isinstance(value, types), TypeError)


def sequence(kind: Kind, description: str, *, size: int | None = None, least: int = 0) -> Kind:
    """A list or tuple of values of a kind, of ``size`` or at ``least`` so many."""

    def accepts(value: object) -> bool:
        if not isinstance(value, list | tuple) or len(value) < least or size not in (None, len(value)):
            return False
        return all(kind.accepts(entry) for entry in value)

    return Kind(description, accepts, TypeError)


def function_of(count: int, description: str) -> Kind:
    """What can be called with ``count`` arguments, as far as its signature tells."""
    return Kind(description, lambda value: callable(value) and takes(value, count), TypeError)


def takes(function: Callable[..., object], count: int) -> bool:
    """Whether a function can be called with so many arguments; true of one whose signature is not known."""
    try:
        inspect.signature(function).bind(*(None,) * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _is_floating(value: Any) -> bool:
    if isinstance(value, np.ndarray | jax.Array) or value is None or isinstance(value, int | float):
        return False
    try:
        name = np.dtype(value).name
    except (TypeError, ValueError):
        return False
    return name.startswith(("float", "bfloat"))


def _may_be_mask(value: object) -> bool:
    """Whether a pytree has boolean leaves; whether all are, and mirror a network, is known when that is built."""
    return any(isinstance(leaf, bool | np.bool_) for leaf in jax.tree_util.tree_leaves(value))


def _holds_numbers(value: object) -> bool:
    """Whether a pytree has a leaf that is a number or an array of numbers."""
    leaves = jax.tree_util.tree_leaves(value)
    return any(np.dtype(getattr(leaf, "dtype", type(leaf))).kind in "iufcV" for leaf in leaves if _is_numeric(leaf))


def _is_numeric(leaf: object) -> bool:
    return isinstance(leaf, int | float | complex | np.generic | np.ndarray | jax.Array)


FLAG = Kind("True or False", lambda value: isinstance(value, bool), TypeError)
TEXT = Kind("a string", lambda value: isinstance(value, str), TypeError)
NAME = Kind("a non-empty string", lambda value: isinstance(value, str) and value != "", TypeError)
PATH = Kind(
    "the path of a file or folder, a non-empty string or a pathlib.Path",
    lambda value: (isinstance(value, str) and value != "") or isinstance(value, os.PathLike),
    TypeError,
)
ANY_PATH = Kind(
    "the path of a file or folder, a string or a pathlib.Path",
    lambda value: isinstance(value, str | os.PathLike),  # an empty one is looked for, and is not there
    TypeError,
)
FUNCTION = Kind("a function", callable, TypeError)
NUMBER = number()
POSITIVE = number(above=0.0)
NONNEGATIVE = number(0.0)
SEED = integer(-(2**63), 2**63 - 1)
FLOATING = Kind("a floating dtype such as jnp.float32", _is_floating, TypeError)
KEY = Kind(
    "a random key, such as jax.random.PRNGKey(0)",
    lambda value: (
        isinstance(value, jax.Array | np.ndarray)
        and (jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key) or (value.dtype == np.uint32 and value.ndim == 1))
    ),
    TypeError,
)
MASK = Kind("a pytree of booleans that mirrors the network, True where a leaf is selected", _may_be_mask, TypeError)
NUMBERS = Kind("an array of numbers, or a pytree with some", _holds_numbers, TypeError)
