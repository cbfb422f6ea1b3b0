"""Symbols of weak forms on a domain."""

from __future__ import annotations

from typing import Any

from jno.trace import Field, FieldValue
from jno.utils import FLAG, TEXT, is_integer

from ..sampling import DomainView

_HIGHEST_ORDER = 4
_MOST_COMPONENTS = 100
_SPACES = ("Lagrange",)


def fem_symbols(
    self: DomainView,
    value_shape: object = (),
    names: object = ("u", "phi"),
    order: object = 1,
    complex: object = False,
    space: object = "Lagrange",
) -> tuple[FieldValue, FieldValue]:
    """The trial symbol and the test function of one unknown, for `jno.fem`.

    Args:
        value_shape: ``()`` of a scalar (default), ``(n,)`` of a vector.
        names: labels of both, for messages (``("u", "phi")``).
        order: polynomial order of the Lagrange elements, 1 to 4 (1).
        complex: complex unknowns are not available (False).
        space: ``"Lagrange"``.

    Returns:
        the pair; every call makes another field, even of the same names.

    Raises:
        ValueError: another order or space, or a shape that is not that of a scalar or vector.
        NotImplementedError: complex unknowns.

    Example:
        >>> import jno
        >>> domain = jno.domain.rect(mesh_size=0.5)
        >>> u, v = domain.fem_symbols()
        >>> velocity, w = domain.fem_symbols((2,), names=("velocity", "w"), order=2)
    """
    if not isinstance(names, tuple | list) or len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise ValueError(f"fem_symbols(names={names!r}): two strings are needed, e.g. ('u', 'v')")
    FLAG.require(complex, "fem_symbols(complex)")
    if complex:
        raise NotImplementedError("fem_symbols(complex=True): complex unknowns are not available; use two real fields")
    if not isinstance(space, str) or space not in _SPACES:
        raise ValueError(f"fem_symbols(space={space!r}): allowed is 'Lagrange'")
    field = Field(names[0], self, _shape(value_shape), _order(order))
    return FieldValue(field, "trial"), FieldValue(field, "test", label=names[1])


def test_function(
    self: DomainView,
    value_shape: object = (),  # noqa: PT028
    name: object = "phi",  # noqa: PT028
    order: object = 1,  # noqa: PT028
) -> FieldValue:
    """A test function alone, for the weak residual of a network; arguments as in `fem_symbols`."""
    TEXT.require(name, "test_function(name)")
    return fem_symbols(self, value_shape, (name, name), order)[1]


def trial_function(self: DomainView, value_shape: object = (), name: object = "u", order: object = 1) -> FieldValue:
    """A trial symbol alone; arguments as in `fem_symbols`."""
    TEXT.require(name, "trial_function(name)")
    return fem_symbols(self, value_shape, (name, name), order)[0]


def _shape(value: object) -> tuple[int, ...]:
    shape: Any = (value,) if is_integer(value, 1) else value
    sized = isinstance(shape, tuple | list) and len(shape) <= 1
    if not sized or not all(is_integer(size, 1) and size <= _MOST_COMPONENTS for size in shape):
        raise ValueError(
            f"fem_symbols(value_shape={value!r}): allowed are () of a scalar and (n,) of a vector of at most "
            f"{_MOST_COMPONENTS} components"
        )
    return tuple(int(size) for size in shape)


def _order(value: object) -> int:
    if not isinstance(value, int) or not is_integer(value, 1) or value > _HIGHEST_ORDER:
        raise ValueError(f"fem_symbols(order={value!r}): allowed are the orders 1 to {_HIGHEST_ORDER}")
    return value
