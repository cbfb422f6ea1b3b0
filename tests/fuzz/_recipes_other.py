"""Recipes of posteriors, adapters, loggers, histories, settings and stencils."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import numpy as np

import jno
from jno.utils import ad_mode

from ._kinds import (
    Kind,
    Verdict,
    any_of,
    array,
    called,
    choice,
    entries,
    integer,
    none,
    nothing,
    number,
    optional,
    path,
    positive,
    real,
    size,
    text,
)
from ._recipe import Recipe
from ._world import World

Right = Callable[[World], Mapping[str, Any]]
_chain = any_of(array, lambda value: Verdict.EITHER if isinstance(value, list | tuple | dict) else Verdict.WRONG)


def _of(label: str, function: Callable[[World], Any], right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    return Recipe(label, function, right, kinds)


_POSTERIORS = [
    _of("jno.bayesian.ess", lambda w: jno.bayesian.ess, lambda w: {"chain": np.ones((2, 8))}, chain=_chain),
    _of(
        "jno.bayesian.rhat",
        lambda w: jno.bayesian.rhat,
        lambda w: {"chain": np.ones((2, 8))},
        chain=_chain,
        strategy=choice("auto"),
    ),
    _of(
        "jno.bayesian.laplace",
        lambda w: jno.bayesian.laplace,
        map_steps=integer(0),
        map_optimizer=optional(called),
        hessian_strategy=choice("diagonal"),
        ridge=number(0),
    ),
    _of(
        "jno.bayesian.pathfinder",
        lambda w: jno.bayesian.pathfinder,
        maxiter=integer(1),
        num_samples=size(1),
        maxcor=integer(1),
        imm_estimator_samples=size(1),
    ),
    _of(
        "jno.bayesian.svgd",
        lambda w: jno.bayesian.svgd,
        num_iters=integer(0),
        num_particles=optional(size(1)),
        optimizer=optional(called),
        kernel=optional(called),
        init_jitter=number(0),
    ),
    _of("priors.gaussian", lambda w: jno.bayesian.priors.gaussian, sigma=positive),
    _of("priors.laplace", lambda w: jno.bayesian.priors.laplace, scale=positive),
    _of("priors.student_t", lambda w: jno.bayesian.priors.student_t, df=positive, scale=positive),
    _of(
        "priors.layerwise_gaussian",
        lambda w: jno.bayesian.priors.layerwise_gaussian,
        base_sigma=positive,
        default_sigma=positive,
    ),
]

_ADAPTERS = [
    *(
        _of(
            f"jno.lora.{label}",
            lambda w, label=label: getattr(jno.lora, label),
            lambda w: {"base": eqx.nn.Linear(4, 4, key=w.key), "rank": 2, "alpha": 1.0, "key": w.key},
            base=nothing,
            rank=integer(1),
            alpha=real,
            key=nothing,
        )
        for label in ("LoRALinear", "DoRALinear", "IA3Linear", "LoKrLinear", "OFTLinear", "PiSSALinear", "VeRALinear")
    ),
    _of(
        "jno.lora.apply_lora",
        lambda w: jno.lora.apply_lora,
        lambda w: {"model": w.module(), "rank": 1, "key": w.key},
        model=lambda value: Verdict.RIGHT,
        rank=integer(-9),
        alpha=real,
        key=nothing,
        target=optional(text),
        specs=optional(entries(nothing)),
        wrappers=optional(entries(nothing)),
    ),
]

_OUTPUT = [
    _of("jno.loggers.csv", lambda w: jno.loggers.csv, lambda w: {"path": "losses.csv"}),
    _of("jno.loggers.tensorboard", lambda w: jno.loggers.tensorboard, lambda w: {"directory": "tb"}, directory=path),
    _of(
        "history.report",
        lambda w: w.history.report,
        lambda w: {"path": "run.html"},
        path=lambda value: Verdict.EITHER if path(value) != Verdict.WRONG else Verdict.WRONG,
        core=none,
    ),
    _of("history.plot", lambda w: w.history.plot, lambda w: {"path": "loss.png"}, path=optional(path)),
    _of("history.save", lambda w: w.history.save, lambda w: {"path": "history.pkl"}),
    _of("statistics.load", lambda w: type(w.history).load, lambda w: {"filepath": w.saved_history}, filepath=path),
    _of(
        "jno.logger",
        lambda w: jno.logger,
        lambda w: {"path": "logs"},
        path=optional(path),
        log_print=nothing,
    ),
    _of(
        "jno.setup",
        lambda w: jno.setup,
        lambda w: {"script_file": "script.py"},
        script_file=path,
        name=optional(text),
        diff_type=optional(nothing),
        hessian_type=optional(nothing),
    ),
    _of("jno.load_config", lambda w: jno.load_config),
    *(
        _of(
            f"ad_mode.{label}",
            lambda w, label=label: getattr(ad_mode, label),
            lambda w, right=right: right,
            mode=nothing,
            scheme=nothing,
        )
        for label, right in (
            ("set_ad_mode", {"mode": "forward"}),
            ("set_hessian_mode", {"mode": "fwd-over-rev"}),
            ("parse_ad_scheme", {"scheme": "automatic_differentiation"}),
            ("parse_hessian_scheme", {"scheme": "automatic_differentiation"}),
            ("ad_fn", {"mode": "forward"}),
        )
    ),
]

_TRIANGLES = {"u_values": array, "points": array, "triangles": array, "method": nothing}


def _mesh(world: World) -> dict[str, Any]:
    mesh = world.square.mesh_connectivity
    return {"u_values": world.nodal, "points": world.points, "triangles": np.asarray(mesh["triangles"])}


_STENCILS = [
    _of(
        f"DifferentialOperators.{label}",
        lambda w, label=label: getattr(jno.DifferentialOperators, label),
        lambda w, extra=extra: {**_mesh(w), **extra},
        **_TRIANGLES,
        dim=integer(0, 1),
        dims=nothing,
        var_dims=nothing,
    )
    for label, extra in (
        ("compute_fd_gradient_2d_simple", {"dim": 0}),
        ("compute_gradient_2d_lsq", {"dim": 0}),
        ("compute_fd_laplacian_2d_simple", {"dims": (0, 1)}),
        ("compute_laplacian_2d_cotangent", {}),
        ("compute_fd_hessian_2d_simple", {"var_dims": [(0, 0, 0, 0)]}),
    )
]
_STENCILS += [
    _of(
        "DifferentialOperators.parse_fd_scheme",
        lambda w: jno.DifferentialOperators.parse_fd_scheme,
        lambda w: {"scheme": "finite_difference"},
    ),
    _of(
        "IntegrationOperators.nodal_volumes",
        lambda w: jno.IntegrationOperators.nodal_volumes,
        lambda w: {"mesh_connectivity": w.square.mesh_connectivity},
        mesh_connectivity=nothing,
    ),
]

OTHER = [*_POSTERIORS, *_ADAPTERS, *_OUTPUT, *_STENCILS]
