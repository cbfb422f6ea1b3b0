"""Recipes of what builds expressions: `jno.np`, `jno.fn`, operators, losses, equations, noise, parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp

import jno

from ._kinds import (
    Kind,
    any_of,
    array,
    called,
    choice,
    coefficient,
    entries,
    flag,
    integer,
    model,
    none,
    nothing,
    number,
    operand,
    optional,
    positive,
    real,
    size,
    text,
    unusual,
    variable,
)
from ._recipe import Recipe
from ._world import World

Right = Callable[[World], Mapping[str, Any]]

_UNARY = (
    *("abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh", "exp"),
    *("exp2", "expm1", "floor", "isfinite", "isnan", "log", "log10", "log1p", "log2", "round", "sign", "sin", "sinh"),
    *("sqrt", "square", "tan", "tanh"),
)
_BINARY = ("arctan2", "atan2", "power", "maximum", "minimum", "dot", "matmul", "cross")
_REDUCTIONS = ("sum", "mean", "median", "std", "var", "min", "max", "prod")
_LOSSES: dict[str, Mapping[str, Kind]] = {
    **{name: {} for name in ("mse", "mae", "rmse", "log_cosh", "linf")},
    **{name: {"eps": number(0)} for name in ("mape", "nmse", "relative_l1", "relative_l2")},
    **{name: {"eps": number(0)} for name in ("cosine_similarity", "gradient_alignment")},
    "huber": {"delta": positive},
    "smooth_l1": {"beta": positive},
    "cauchy": {"c": positive},
    "quantile": {"tau": number(0, 1, above=True, below=True)},
}


def _np(label: str, right: Right, /, **kinds: Kind) -> Recipe:
    return Recipe(f"jno.np.{label}", lambda world: getattr(jno.np, label), right, kinds)


def _fn(label: str, right: Right, /, **kinds: Kind) -> Recipe:
    return Recipe(f"jno.fn.{label}", lambda world: getattr(jno.fn, label), right, kinds)


def _linalg(label: str, right: Right, /, **kinds: Kind) -> Recipe:
    return Recipe(f"jno.np.linalg.{label}", lambda world: getattr(jno.np.linalg, label), right, kinds)


def _method(label: str, right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    words = dict.fromkeys(("variable", "variables", "arguments", "var"), ("Variable",))
    return Recipe(f"Placeholder.{label}", lambda world: getattr(world.u * 1.0, label), right, kinds, words)


_MATRIX = jnp.eye(2)
_variables = any_of(variable, entries(variable))
_axis_numbers = unusual(integer(-64, 64))
_axes = any_of(_axis_numbers, entries(_axis_numbers, tuple))
_operands = entries(operand)
_components = any_of(operand, entries(operand))

_NAMESPACE = [
    *(_np(name, lambda w: {"x": w.u}, x=operand) for name in _UNARY),
    *(_np(name, lambda w: {"x": w.vector, "y": w.vector}, x=operand, y=operand) for name in _BINARY),
    *(_np(name, lambda w: {"x": w.u}, x=operand) for name in _REDUCTIONS),
    _np(
        "norm",
        lambda w: {"x": w.vector},
        x=operand,
        ord=any_of(optional(choice(2, 0, -1, "fro", "nuc", math.inf, -math.inf)), real),
    ),
    *(_np(name, lambda w: {"x": jnp.eye(2)}, x=operand) for name in ("sym", "antisym", "trace")),
    _np("double_dot", lambda w: {"x": _MATRIX, "y": _MATRIX}, x=operand, y=operand),
    _np("inner", lambda w: {"x": w.vector, "y": w.vector}, x=operand, y=operand, n_contract=integer(0)),
    _np(
        "einsum",
        lambda w: {"subscripts": "...i->...", "operands": (w.vector,)},
        subscripts=unusual(text),
        operands=operand,
    ),
    _np("transpose", lambda w: {"x": w.vector}, x=operand, axes=optional(entries(integer(-2, 2)))),
    _np("expand_dims", lambda w: {"x": w.u, "axis": 0}, x=operand, axis=_axes),
    _np("squeeze", lambda w: {"x": w.u}, x=operand, axis=optional(_axes)),
    _np("reshape", lambda w: {"x": w.u, "shape": (-1,)}, x=operand, shape=any_of(integer(-1), entries(integer(-1)))),
    *(
        _np(name, lambda w: {"items": [w.u, w.v]}, items=any_of(_operands, array), axis=integer(-2, 2))
        for name in ("concat", "concatenate", "stack")
    ),
    _np("vector", lambda w: {"components": (w.u, w.v)}, components=operand),
    _np("where", lambda w: {"condition": w.x < 0.5, "x": w.u, "y": w.v}, condition=operand, x=operand, y=operand),
    _np("grad", lambda w: {"target": w.u, "variable": w.x}, target=operand, variable=any_of(variable, model)),
    *(
        _np(name, lambda w: {"target": w.u, "variables": [w.x, w.y]}, target=operand, variables=_variables)
        for name in ("hessian", "jacobian", "laplace", "laplacian")
    ),
    _np("symgrad", lambda w: {"target": w.vector, "variables": [w.x, w.y]}, target=operand, variables=_variables),
    *(
        _np(name, lambda w: {"vector": [w.u, w.v], "variables": [w.x, w.y]}, vector=_components, variables=_variables)
        for name in ("div", "divergence")
    ),
    _np(
        "curl_2d",
        lambda w: {"f_x": w.u, "f_y": w.v, "x": w.x, "y": w.y},
        **dict.fromkeys(("f_x", "f_y"), operand),
        **dict.fromkeys(("x", "y"), variable),
    ),
    _np("integrate", lambda w: {"target": w.u}, target=operand, var=optional(variable)),
    _np("identity", lambda w: {"n": 2}, n=size(1)),
    _np(
        "interp",
        lambda w: {"x": w.u, "xp": [0.0, 1.0], "fp": [1.0, 2.0]},
        x=operand,
        xp=array,
        fp=array,
        method=nothing,
    ),
    _np("view_factor", lambda w: {"F": _MATRIX}, F=operand),
    _np("tracker", lambda w: {"expression": w.u}, expression=operand, reduce=optional(called)),
    _np("constant", lambda w: {"tag": "c", "source": {"a": 1.0}}, source=lambda value: min(1, operand(value))),
    Recipe(
        "jno.fn",
        lambda w: jno.fn,
        lambda w: {"fn": jnp.sin, "args": [w.u]},
        {"fn": called, "args": _operands, "reduces_axis": optional(integer(-2, 2))},
    ),
    _np(
        "choice",
        lambda w: {"options": [w.u, w.v]},
        options=any_of(_operands, entries(operand, dict)),
        name=optional(text),
        default=integer(0, 1),
    ),
]

_LINEAR_ALGEBRA = [
    *(
        _linalg(name, lambda w: {"x": _MATRIX}, x=operand)
        for name in ("cholesky", "det", "eigvals", "eigvalsh", "inv", "matrix_transpose", "pinv", "svdvals")
    ),
    _linalg("matrix_power", lambda w: {"x": _MATRIX, "n": 2}, x=operand, n=integer(-1000, 1000)),
    _linalg("solve", lambda w: {"a": _MATRIX, "b": jnp.ones(2)}, a=operand, b=operand),
]


def _sides(loss: str) -> tuple[str, str]:
    return ("a", "b") if loss in ("cosine_similarity", "gradient_alignment") else ("pred", "target")


def _loss_arguments(loss: str, world: World) -> dict[str, Any]:
    return dict.fromkeys(_sides(loss), world.vector)


_LOSS_FUNCTIONS = [
    _fn(name, partial(_loss_arguments, name), **dict.fromkeys(_sides(name), operand), **kinds)
    for name, kinds in _LOSSES.items()
]

_CAUSAL = [
    _fn(
        name,
        lambda w: {"residual": w.own_time, "t": w.own_time},
        residual=operand,
        t=variable,
        epsilon=positive,
        slices=integer(2),
    )
    for name in ("causal", "causal_weights")
]


def _equation(label: str, right: Right, coefficients: str = "", /, **kinds: Kind) -> Recipe:
    fields = dict.fromkeys(("u", "v", "p", "f", "forcing"), coefficient)
    variables = dict.fromkeys(("x", "y", "z", "spatial", "variables"), variable)
    names = dict.fromkeys(coefficients.split(), coefficient)
    return _fn(label, right, **{**fields, **variables, "t": variable, **names, **kinds})


def _steady(world: World) -> dict[str, Any]:
    return {"u": world.u, "spatial": (world.x, world.y)}


def _unsteady(world: World) -> dict[str, Any]:
    return {"u": world.ut, "t": world.t, "spatial": (world.xt, world.yt)}


_velocity = any_of(coefficient, entries(coefficient))
_EQUATIONS = [
    _equation("advection", lambda w: {**_steady(w), "velocity": (1.0, 1.0)}, velocity=_velocity, t=optional(variable)),
    _equation(
        "advection_diffusion_reaction",
        lambda w: {**_steady(w), "velocity": (1.0, 1.0)},
        "diffusivity reaction_coeff",
        velocity=_velocity,
        t=optional(variable),
    ),
    _equation("diffusion", _steady, "diffusivity", t=optional(variable)),
    _equation("allen_cahn", _unsteady, "epsilon"),
    _equation("cahn_hilliard", _unsteady, "epsilon mobility"),
    _equation("fisher_kpp", _unsteady, "diffusivity growth_rate"),
    _equation("heat", _unsteady, "diffusivity"),
    _equation("wave", _unsteady, "speed"),
    *(
        _equation(name, lambda w: {"u": w.u, "f": 0.0, "variables": (w.x, w.y)}, "stiffness wave_number")
        for name in ("biharmonic", "helmholtz")
    ),
    _equation("poisson", lambda w: {"u": w.u, "variables": (w.x, w.y)}, "diffusion"),
    *(
        _equation(name, lambda w: {"u": w.ut, "x": w.xt, "t": w.t}, "viscosity")
        for name in ("burgers_1d", "burgers_inviscid_1d")
    ),
    _equation("continuity", lambda w: {"velocity": (w.u, w.v), "variables": (w.x, w.y)}, velocity=_velocity),
    _equation(
        "navier_stokes_incompressible_2d",
        lambda w: {"u": w.u, "v": w.v, "p": w.u, "x": w.x, "y": w.y},
        "density viscosity forcing_x forcing_y continuity_source",
        t=optional(variable),
    ),
]

_METHODS = [
    *(
        Recipe(
            f"Placeholder.{name}",
            partial(lambda name, w: getattr(w.u, name), name),
            partial(lambda name, w: {("left" if name.startswith("__r") else "right"): 2.0}, name),
            {"right": operand, "left": operand},
            dict.fromkeys(("right", "left"), ("operand", "operands", "expression", "arithmetic")),
        )
        for name in ("__add__", "__radd__", "__sub__", "__mul__", "__rmul__", "__truediv__", "__pow__", "__matmul__")
    ),
    *(_method(name, lambda w: {"variable": w.x}, variable=variable) for name in ("d", "diff", "d2", "dd")),
    *(_method(name, lambda w: {"variables": (w.x, w.y)}, variables=variable) for name in ("laplacian", "hessian")),
    _method("grad", lambda w: {"arguments": (w.x, w.y)}, arguments=any_of(variable, model)),
    _method("integrate", var=optional(variable)),
    _method("name", lambda w: {"label": "u"}),
    _method("latex", expand=flag, width=optional(integer(20))),
    _method("print", what=any_of(called, choice("shape")), label=optional(text)),
    _method("reshape", lambda w: {"shape": (-1,)}, shape=any_of(integer(-1), entries(integer(-1), tuple))),
    _method("tracker", reduce=optional(called)),
    _method("equal", lambda w: {"operand": w.v}, operand=operand),
    _method("not_equal", lambda w: {"operand": w.v}, operand=operand),
    Recipe("Placeholder.eval", lambda w: (w.u * 1.0).eval, kinds={"domain": any_of(none, array)}),
    Recipe(
        "Placeholder.__call__",
        lambda w: w.u.__call__,
        lambda w: {"new_variables": (w.x, w.y)},
        {"new_variables": operand},
        {"new_variables": ("expression", "u")},
    ),
    Recipe(
        "jno.parameter",
        lambda w: jno.parameter,
        kinds={"shape": any_of(size(0), entries(size(0))), "name": optional(text)},
    ),
    Recipe("jno.noise.gaussian", lambda w: jno.noise.gaussian, kinds={"std": number(0), "ndim": size(1)}),
    Recipe("jno.noise.laplace", lambda w: jno.noise.laplace, kinds={"std": number(0), "ndim": size(1)}),
    Recipe(
        "jno.noise.uniform",
        lambda w: jno.noise.uniform,
        kinds={"low": number(high=1), "high": number(-1), "ndim": size(1)},
    ),
]


EXPRESSIONS = [*_NAMESPACE, *_LINEAR_ALGEBRA, *_LOSS_FUNCTIONS, *_CAUSAL, *_EQUATIONS, *_METHODS]
