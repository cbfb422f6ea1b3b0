"""Nodes that are not functions of arrays: wrapped callables, trackers, trainable parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jno.trace import OPERAND, FunctionCall, Placeholder, as_node
from jno.utils import FUNCTION, TEXT, Key, checked, integer


@checked(fn=FUNCTION, name=TEXT, reduces_axis=integer(-64, 64))
def function(
    fn: Callable[..., Any],
    args: object = [],
    name: str = "",
    reduces_axis: int | None = None,
) -> FunctionCall:
    """Wrap an arbitrary JAX-traceable function into the trace; ``jno.fn(...)`` is the short form.

    Write ``fn`` once (a ``def``, not a new ``lambda`` for each call) where equal calls shall be computed
    once.

    Args:
        fn: ``fn(*arrays) -> array``. It receives the per-sample arrays, ``(N, D)`` for point expressions; a
            parameter named ``key`` receives the random key of the step.
        args: list of argument expressions, numbers or arrays. Default: none.
        name: title in the expression tree. Default: the function's own name.
        reduces_axis: the axis the function reduces, if any: says that the outermost call is a reduction of a
            point-wise residual. Default None.

    Returns:
        Node of what ``fn`` returns.

    Raises:
        TypeError: ``fn`` is not callable, or ``args`` is not a list.

    Example:
        >>> import jno
        >>> jno.np.function(lambda a, b: a**2 + b, [1.0, 2.0], name="my_op")
        my_op(1.0, 2.0)
    """
    if not isinstance(args, list | tuple):
        raise TypeError(
            f"jno.fn takes the arguments of the function as a list, e.g. jno.fn(f, [u, v]); got {type(args).__name__}"
        )
    return FunctionCall(fn, args, name, reduces_axis)


@checked(expression=OPERAND)
def tracker(expression: object, interval: int = 1, reduce: object = None) -> Placeholder:
    """Record an expression during training without training on it; same as ``expression.tracker(...)``.

    Args:
        expression: what to record.
        interval: epochs between two records, at least 1. Default 1.
        reduce: optional callable applied to the recorded array.

    Returns:
        `Tracker` node; put it into the constraint list.

    Raises:
        ValueError: ``interval`` is not an integer of at least 1.
        TypeError: ``reduce`` is not callable.

    Example:
        >>> import jno
        >>> jno.np.tracker(jno.np.sin(0.5), interval=10)
        tracker[10](sin(…))
    """
    return as_node(expression).tracker(interval, reduce)


def parameter(shape: Any, *, key: Key | None = None, name: str | None = None) -> Any:
    """Trainable array; see ``jno.parameter``.

    Args:
        shape: shape of the array; ``()`` is a scalar, ``(n,)`` evaluates as a column ``(n, 1)``. A symbol of
            `domain.fem_symbols` gives a nodal field.
        key: random key for an initializer given by ``.initialize(callable)``.
        name: display name. Default ``parameter_<id>``.

    Returns:
        `ModelCall` node, with ``.optimizer(...)``, ``.initialize(...)``, ``.freeze()`` and so on.

    Example:
        >>> import jno
        >>> import optax
        >>> k = jno.np.parameter((1,), name="k").optimizer(optax.adam(1e-2))
    """
    from jno.architectures import parameter as build_parameter  # a floor that reading `jno.np` must not load

    return build_parameter(shape, key=key, name=name)
