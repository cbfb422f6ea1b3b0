"""What the import hook of jaxtyping decorates every function of jno with.

`jaxtyping.jaxtyped` checks the shapes of arrays across all arguments and the result: it binds the arguments, and
checks them before the call and again with the result. Here beartype checks them once, in a context in which the sizes
of arrays agree (which a function whose annotations name no array does not need), and a nested function, defined anew
at each call of the function around it, takes the checks that were generated at its first definition. Every annotation
is checked as before.
"""

import dataclasses
import functools
import inspect
import threading
import types
import typing
from collections.abc import Callable
from typing import TypeGuard

import jaxtyping
from beartype import BeartypeConf, beartype

_jaxtyped = jaxtyping.jaxtyped
_Function = Callable[..., object]
_beartyped = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))
_agreeing_sizes = _jaxtyped("context")


def install() -> None:
    """Check the annotations of jno from its import on."""
    jaxtyping.jaxtyped = _decorator
    jaxtyping.install_import_hook("jno", "beartype.beartype")


def _decorator(*, typechecker: _Function) -> _Function:
    return functools.partial(_checked, typechecker=typechecker)


def _checked(target: object, typechecker: _Function) -> object:
    if _is_plain_dataclass(target):
        target.__init__ = _checked(target.__init__, typechecker)
        return target
    if not isinstance(target, types.FunctionType):
        return _jaxtyped(target, typechecker=typechecker)
    if "<locals>" in target.__qualname__:
        return _nested(target)
    annotations = {name: _resolved(annotation, target) for name, annotation in target.__annotations__.items()}
    if any(map(_names_arrays, annotations.values())) and inspect.isgeneratorfunction(target):
        return _jaxtyped(target, typechecker=typechecker)
    written, target.__annotations__ = target.__annotations__, annotations
    checked = _with_sizes(_beartyped(target), annotations)
    target.__annotations__ = checked.__annotations__ = written
    return checked


def _is_plain_dataclass(target: object) -> TypeGuard[type]:
    return (
        type(target) is type
        and dataclasses.is_dataclass(target)
        and "__init__" in vars(target)
        and "<locals>" not in target.__qualname__
    )


def _with_sizes(checked: _Function, annotations: dict[str, object]) -> _Function:
    """The function that beartype checks, in a context of its own if its annotations name arrays."""
    if not any(map(_names_arrays, annotations.values())):
        return checked

    @functools.wraps(checked)
    def in_context(*args: object, **kwargs: object) -> object:
        with _agreeing_sizes:
            return checked(*args, **kwargs)

    return in_context


def _resolved(annotation: object, function: types.FunctionType) -> object:
    """The annotation as an object; `Any` where a name in it exists for type checkers only."""

    def holder() -> None: ...

    holder.__annotations__ = {"value": annotation}
    try:
        return typing.get_type_hints(holder, function.__globals__, include_extras=True)["value"]
    except Exception:  # as jaxtyping does: evaluating an annotation may raise anything
        return typing.Any


def _names_arrays(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return True
    return any(map(_names_arrays, (*typing.get_args(annotation), *getattr(annotation, "__constraints__", ()))))


_running = threading.local()
_checks_of: dict[types.CodeType, _Function] = {}


def _nested(function: types.FunctionType) -> _Function:
    """The function called through the checks of its first definition."""
    code = function.__code__
    if code not in _checks_of:
        _checks_of[code] = _checks(function)
    checks = _checks_of[code]

    @functools.wraps(function)
    def checked(*args: object, **kwargs: object) -> object:
        stack = _running.__dict__.setdefault("stack", [])
        stack.append((function, args, kwargs))
        try:
            return checks(*args, **kwargs)
        finally:
            stack.pop()

    return checked


def _call_what_runs() -> object:
    function, args, kwargs = _running.stack[-1]
    return function(*args, **kwargs)


def _checks(function: types.FunctionType) -> _Function:
    """A function with the parameters of this one, and its checks, that calls the definition which runs.

    It does not refer to this definition: the checks outlive it, and what it closes over must not.
    """
    parameters = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.empty if parameter.default is parameter.empty else None,
        )
        for parameter in inspect.signature(function).parameters.values()
    ]
    names = {"run": _call_what_runs}
    exec(f"def call{inspect.Signature(parameters)}: return run()", names)
    call = names["call"]
    call.__name__, call.__qualname__, call.__module__ = function.__name__, function.__qualname__, function.__module__
    annotations = {name: _resolved(annotation, function) for name, annotation in function.__annotations__.items()}
    call.__annotations__ = annotations
    return _with_sizes(_beartyped(call), annotations)
