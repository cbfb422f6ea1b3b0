"""Services: functions that the language calls and modules above it provide.

An expression can be evaluated, and a network exported, only by modules that import the trace.  Each registers its
function when it is imported, as lowering rules are registered, so that no module imports one above it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Service(Generic[P, R]):
    """A function that is called here and defined in a module above.

    Args:
        name: what the function computes, for the error message.
        provider: the module that registers it when it is imported.

    Example:
        >>> from jno.trace._services import Service
        >>> double = Service[[int], int]("twice a number", "arithmetic")
        >>> double(3)
        Traceback (most recent call last):
            ...
        RuntimeError: nothing computes twice a number: import arithmetic first
        >>> @double.register
        ... def twice(number):
        ...     return 2 * number
        >>> double(3)
        6
    """

    def __init__(self, name: str, provider: str) -> None:
        self._name = name
        self._provider = provider
        self._function: Callable[P, R] | None = None

    def register(self, function: Callable[P, R]) -> Callable[P, R]:
        """Let the service be ``function``, which is returned unchanged.

        Raises:
            RuntimeError: another function is registered.
        """
        if self._function is not None:
            raise RuntimeError(f"{self._function!r} computes {self._name} already, so {function!r} cannot")
        self._function = function
        return function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the registered function.

        Raises:
            RuntimeError: nothing is registered.
        """
        if self._function is None:
            raise RuntimeError(f"nothing computes {self._name}: import {self._provider} first")
        return self._function(*args, **kwargs)
