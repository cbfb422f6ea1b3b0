"""Looking at the functions that build samplers: the parameters they need, and those they accept."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jno.utils import from_extra

WINDOW_OPTIONS = ("target_acceptance_rate", "is_mass_matrix_diagonal")
"""Options of window adaptation, which no factory takes."""


def parameters_of(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a factory by name, in order.

    Raises:
        ImportError: Blackjax is not installed.
    """
    return dict(inspect.signature(_signed(factory)).parameters)


def _signed(factory: Callable[..., Any]) -> Callable[..., Any]:
    """What carries the signature: Blackjax's own factories are objects called with ``*args, **kwargs``."""
    blackjax = library()
    if isinstance(factory, blackjax.GenerateSamplingAPI | blackjax.GenerateVariationalAPI):
        return factory.differentiable
    if isinstance(factory, functools.partial):
        return functools.partial(_signed(factory.func), *factory.args, **factory.keywords)
    return factory


def library() -> Any:
    """The module ``blackjax``.

    Raises:
        ImportError: it is not installed.
    """
    with from_extra("bayes", "Bayesian models need Blackjax"):
        import blackjax
    return blackjax


def factory_name(factory: Callable[..., Any]) -> str:
    """How messages call a factory."""
    signed = _signed(factory)
    plain = signed.func if isinstance(signed, functools.partial) else signed
    named = inspect.isfunction(plain) or inspect.isclass(plain)
    module = inspect.getmodule(plain)
    if named and plain.__name__ == "as_top_level_api" and module is not None:
        return f"blackjax.{module.__name__.rsplit('.', 1)[-1]}"
    return plain.__name__ if named else type(plain).__name__


def check_options(
    name: str,
    parameters: Mapping[str, inspect.Parameter],
    options: Mapping[str, Any],
    *,
    supplied: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> None:
    """Refuse options that the factory ``name`` does not take, and a call without one that it needs.

    Args:
        name: for messages.
        parameters: of the factory, without the first.
        options: by the user.
        supplied: parameters that will be passed besides.
        also: further options that are understood.

    Raises:
        ValueError: naming the options.
    """
    kinds = {parameter.kind for parameter in parameters.values()}
    accepted = [n for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    unknown = [option for option in options if option not in accepted and option not in also]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        allowed = ", ".join(dict.fromkeys((*accepted, *also)))
        raise ValueError(f"{name} takes no {', '.join(unknown)}; it takes {allowed or 'no options'}")
    missing = [
        n
        for n in accepted
        if parameters[n].default is inspect.Parameter.empty and n not in options and n not in supplied
    ]
    if missing:
        raise ValueError(f"{name} requires a {', a '.join(missing)}: pass it to bayesian() or vi() as a keyword")


def window_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some options that window adaptation takes."""
    return {name: value for name, value in options.items() if name in WINDOW_OPTIONS}
