"""Recipes of weak forms: symbols, problems, solutions, nodal coefficients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import jno

from ._kinds import (
    Kind,
    any_of,
    array,
    called,
    choice,
    empty,
    flag,
    integer,
    none,
    nothing,
    number,
    operand,
    optional,
    pair,
    real,
    text,
    unusual,
    variable,
)
from ._recipe import Recipe
from ._world import World

Right = Callable[[World], Mapping[str, Any]]


# what messages about weak forms call arguments
_WORDS = {
    "constraints": ("term", "entry"),
    "symbol": ("symbol",),
    "values": ("freeze", "values"),
    "value": ("pin",),
    "new_variables": ("coordinates",),
    "index": ("component",),
    "names": ("bind",),
}


def _of(label: str, function: Callable[[World], Any], right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    return Recipe(label, function, right, kinds, _WORDS)


_shape = any_of(empty, integer(1, 100))
_order = integer(1, 4)
_SYMBOLS = [
    _of(
        "domain.fem_symbols",
        lambda w: w.square.fem_symbols,
        value_shape=_shape,
        names=pair(text),
        order=_order,
        complex=unusual(flag),
        space=choice("Lagrange"),
    ),
    _of("domain.test_function", lambda w: w.square.test_function, value_shape=_shape, name=text, order=_order),
    _of("domain.trial_function", lambda w: w.square.trial_function, value_shape=_shape, name=text, order=_order),
    _of("symbol.pin", lambda w: w.symbols[0].pin, value=real),
    _of("symbol.component", lambda w: w.symbols[0].component, lambda w: {"index": 0}, index=integer(0)),
    _of("symbol.freeze", lambda w: w.symbols[0].freeze, lambda w: {"values": np.ones(9)}, values=array),
    _of(
        "symbol.__call__",
        lambda w: w.symbols[0].__call__,
        lambda w: {"new_variables": (w.x, w.y)},
        new_variables=variable,
    ),
    _of(
        "symbol.bind",
        lambda w: lambda x, y: w.symbols[0].bind(x=x, y=y),
        lambda w: {"x": w.x, "y": w.y},
        x=variable,
        y=variable,
    ),
    _of("jno.lag", lambda w: jno.lag, lambda w: {"expression": w.symbols[0]}, expression=operand),
]

_NEWTON = {"rtol": number(0), "atol": number(0), "max_steps": integer(1, 100_000)}
_PROBLEMS = [
    _of(
        "jno.fem",
        lambda w: jno.fem,
        lambda w: {"constraints": w.terms},
        constraints=nothing,
        quad_degree=optional(integer(1, 40)),
        element_type=optional(choice("TRI3")),
        vec=optional(integer(1, 1)),
    ),
    _of(
        "fem.solve",
        lambda w: w.weak.solve,
        solve_fn=optional(called),
        x0=optional(array),
        save_ts=none,
        theta=none,
        **_NEWTON,
    ),
    _of(
        "fem.solve of a nonlinear problem",
        lambda w: w.nonlinear.solve,
        solve_fn=none,
        x0=optional(array),
        save_ts=none,
        theta=none,
        **_NEWTON,
    ),
    _of(
        "fem.solve in time",
        lambda w: w.heat.solve,
        solve_fn=none,
        x0=none,
        save_ts=optional(array),
        theta=optional(number(0.5, 1.0)),
        **_NEWTON,
    ),
    *(
        _of(
            f"fem.{name}{suffix}",
            lambda w, name=name, problem=problem: getattr(getattr(w, problem), name),
            lambda w: {"u": np.zeros(9)},
            u=array,
            t=time,
        )
        for name in ("residual", "jacobian")
        for suffix, problem, time in (("", "weak", none), (" in time", "heat", optional(real)))
    ),
    _of(
        "fem.nodal_values",
        lambda w: w.weak.nodal_values,
        lambda w: {"solution": np.zeros(9)},
        solution=array,
        symbol=none,
    ),
    _of("fem.block_index", lambda w: w.weak.block_index, lambda w: {"symbol": w.symbols[0]}, symbol=nothing),
]


def _regularized(kind: str, option: str) -> Callable[[World], Callable[..., Any]]:
    limits = {"lo": 0.0, "hi": 1.0} if kind == "bounded" else {}
    return lambda w: lambda value: w.nodal_field.regularize(kind, **{**limits, option: value})


_COEFFICIENTS = [
    _of("parameter.regularize", lambda w: w.nodal_field.regularize, lambda w: {"kind": "h1"}, kind=nothing),
    *(
        Recipe(
            f"parameter.regularize.{kind} {option}",
            _regularized(kind, option),
            lambda w, right=right: {"value": right},
            {"value": allowed},
            {"value": (option,)},
        )
        for kind, option, right, allowed in (
            ("l2", "ref", 1.0, operand),
            ("tv", "eps", 1e-8, number(0)),
            ("nonneg", "strength", 1.0, operand),
            ("bounded", "lo", 0.0, operand),
            ("bounded", "hi", 1.0, operand),
        )
    ),
    _of(
        "network.regularize",
        lambda w: w.model()(w.z).regularize,
        lambda w: {"kind": "h1", "variables": (w.z,)},
        kind=nothing,
        variables=variable,
    ),
]

WEAK = [*_SYMBOLS, *_PROBLEMS, *_COEFFICIENTS]
