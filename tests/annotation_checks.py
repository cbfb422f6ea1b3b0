"""What the import hook of jaxtyping decorates every function of jno with.

`jaxtyping.jaxtyped` checks the shapes of arrays across all arguments and the result, which takes several
microseconds a call and a millisecond a definition. Here a function whose annotations name no array is checked by
beartype alone, and a nested function, defined anew at each call of the function around it, takes the checks that
were generated at its first definition. Every annotation is checked as before.
"""

import functools
import inspect
import threading
import types
import typing
from collections.abc import Callable

import jaxtyping
from beartype import BeartypeConf, beartype

_jaxtyped = jaxtyping.jaxtyped
_Function = Callable[..., object]
# a violation is a TypeError, as that of jaxtyping is
_plainly_checked = beartype(conf=BeartypeConf(violation_type=TypeError))


def install() -> None:
    """Check the annotations of jno from its import on."""
    jaxtyping.jaxtyped = _decorator
    jaxtyping.install_import_hook("jno", "beartype.beartype")


def _decorator(*, typechecker: _Function) -> _Function:
    return functools.partial(_checked, typechecker=typechecker)


def _checked(target: object, typechecker: _Function) -> object:
    if not isinstance(target, types.FunctionType):
        return _jaxtyped(target, typechecker=typechecker)
    if "<locals>" in target.__qualname__:
        return _nested(target, typechecker)
    annotations = {name: _resolved(annotation, target) for name, annotation in target.__annotations__.items()}
    if any(map(_names_arrays, annotations.values())):
        return _jaxtyped(target, typechecker=typechecker)
    written, target.__annotations__ = target.__annotations__, annotations
    checked = _plainly_checked(target)
    target.__annotations__ = checked.__annotations__ = written
    return checked


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


def _nested(function: types.FunctionType, typechecker: _Function) -> _Function:
    """The function called through the checks of its first definition."""
    code = function.__code__
    if code not in _checks_of:
        _checks_of[code] = _jaxtyped(_trampoline(function), typechecker=typechecker)
    checks = _checks_of[code]

    @functools.wraps(function)
    def checked(*args: object, **kwargs: object) -> object:
        stack = _running.__dict__.setdefault("stack", [])
        stack.append(function)
        try:
            return checks(*args, **kwargs)
        finally:
            stack.pop()

    return checked


def _trampoline(function: types.FunctionType) -> _Function:
    """A function with the signature of this one that calls the definition which runs."""

    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        return _running.stack[-1](*args, **kwargs)

    del call.__wrapped__  # the checks outlive the definition, and what it closes over must not
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_resolved(parameter.annotation, function))
        for parameter in signature.parameters.values()
    ]
    call.__signature__ = signature.replace(
        parameters=parameters, return_annotation=_resolved(signature.return_annotation, function)
    )
    return call
