"""Recipes of problems and their training: `core`, models, optimizers, schedules, balancers, samplers, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import optax

import jno

from ._kinds import (
    Kind,
    Verdict,
    any_of,
    array,
    called,
    choice,
    empty,
    entries,
    flag,
    function,
    integer,
    name,
    none,
    nothing,
    number,
    operand,
    optional,
    path,
    positive,
    real,
    size,
    text,
    unusual,
)
from ._recipe import Recipe
from ._world import World

Right = Callable[[World], Mapping[str, Any]]
_schedule = any_of(positive, function)
_CONTROLS = ("freeze", "lora", "optimizer", "lr", "dtype")
_weights = any_of(called, path, array, real, entries(real, dict))
_window = optional(size(1))
_below_one = number(0, 1, below=True)
_dtype = optional(lambda value: Verdict.WRONG)
_inputs = any_of(array, entries(array), lambda value: Verdict.EITHER if hasattr(value, "dtype") else Verdict.WRONG)


def _of(label: str, function: Callable[[World], Any], right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    return Recipe(label, function, right, kinds)


def _core(method: str, right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    return Recipe(f"core.{method}", lambda w: getattr(w.solved, method), right, kinds)


def _model(method: str, right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    passed_on = ("nonsense_keyword",) if method in ("bayesian", "vi") else ()  # to a factory, when training begins
    return Recipe(f"Model.{method}", lambda w: getattr(w.model(), method), right, kinds, skipped=passed_on)


def _space(method: str, right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    ends = dict.fromkeys(("low", "high"), ("the ends", "end"))
    return Recipe(f"ArchSpace.{method}", lambda w: getattr(jno.tuner.ArchSpace(), method), right, kinds, ends)


_PROBLEMS = [
    _of(
        "jno.core",
        lambda w: jno.core,
        lambda w: {"constraints": [w.u.mse]},
        constraints=entries(operand),
        mesh=optional(nothing),
        resume_from=optional(path),
        domain=none,
    ),
    Recipe(
        "core.solve",
        lambda w: w.problem().solve,
        lambda w: {"epochs": 1},
        {
            "epochs": integer(1),
            "batchsize": optional(integer(1, 1)),
            "inner_steps": integer(1),
            "accumulation_steps": integer(1),
            "min_consecutive": _window,
            "callbacks": optional(empty),
            "substeps": optional(nothing),
            "point_batch": optional(integer(1)),
        },
        skipped=("profile",),
    ),
    _core(
        "eval",
        lambda w: {"operation": w.solved.constraints[0]},
        operation=any_of(operand, entries(operand)),
        domain=none,
        min_consecutive=_window,
        samples=choice("auto", "chain", "point"),
    ),
    _core(
        "plot",
        lambda w: {"operation": w.z * 2.0},
        operation=any_of(operand, entries(operand)),
        path=optional(path),
        domain=none,
        times=optional(any_of(real, array, entries(real))),
        sample=integer(0, 0),
        share=flag,
        losses=flag,
        cmap=optional(choice("viridis")),
        figsize=optional(entries(positive)),
        dpi=integer(10, 2000),
    ),
    _core("expression", lambda w: {"name": "k"}, name=nothing),
    _core("diagnose", path=optional(path), solved=number(0)),
    _core("print_plan", file=any_of(none, path), min_consecutive=_window),
    _core("print_shapes", min_consecutive=_window),
    _core("print_tree", file=any_of(none, path)),
    _core("compile", mesh=optional(nothing)),
    _core("restore_checkpoint", lambda w: {"directory": w.checkpoints}, directory=path, step=optional(integer(0))),
    _core("save", lambda w: {"path": "saved.pkl"}, public_key_path=optional(path), private_key_path=optional(path)),
    _core(
        "export",
        lambda w: {"operation": w.z * 2.0, "path": "exported.stablehlo"},
        operation=any_of(operand, entries(operand), entries(operand, dict)),
        format=optional(nothing),
        platforms=optional(nothing),
    ),
    _core("set_optimizer", lambda w: {"opt_fn": optax.sgd(0.1)}, opt_fn=called, scale=optional(any_of(real, called))),
    _core(
        "sweep",
        lambda w: {"space": jno.tuner.ArchSpace().unique("epochs", [1], "training"), "optimizer": None, "budget": 1},
        space=nothing,
        optimizer=any_of(none, called),
        budget=optional(integer(1)),
        devices=optional(any_of(integer(0, 1), empty)),
        objective=optional(called),
        executor=optional(integer(1, 2)),
        workers=optional(integer(1, 10**4)),
        journal=optional(path),
    ),
    _of("core.load", lambda w: jno.core.load, lambda w: {"path": w.saved}, public_key_path=optional(path)),
    _of(
        "jno.save",
        lambda w: jno.save,
        lambda w: {"obj": 1, "filepath": "object.pkl"},
        obj=lambda v: Verdict.RIGHT,
        filepath=path,
    ),
    _of(
        "jno.load",
        lambda w: jno.load,
        lambda w: {"filepath": w.saved},
        filepath=path,
        expected_type=optional(lambda v: Verdict.EITHER if isinstance(v, type) else Verdict.WRONG),
    ),
]

_MODELS = [
    _of(
        "jno.nn.wrap",
        lambda w: jno.nn.wrap,
        lambda w: {"module": w.module()},
        module=called,
        space=none,
        weight_path=optional(path),
    ),
    _of(
        "jno.nn.embed",
        lambda w: jno.nn.embed,
        lambda w: {"network": w.module(), "inputs": [(0.0, 1.0)]},
        network=called,
        inputs=nothing,
        periodic=optional(empty),
        harmonics=integer(1),
        fourier=integer(0),
        scales=any_of(positive, entries(positive)),
        factorize=any_of(flag, entries(number(0))),
        magnitude=optional(any_of(positive, entries(positive))),
        offset=optional(any_of(real, entries(real))),
        samples=optional(array),
        weight_path=optional(path),
    ),
    _model("optimizer", lambda w: {"opt_fn": optax.sgd(0.1)}, opt_fn=called),
    _model("scale", lambda w: {"schedule": 0.5}, schedule=any_of(number(0), function)),
    _model("mask"),
    _model("constrain", lambda w: {"transform": jnp.tanh}, transform=function),
    _model("dtype", lambda w: {"dtype": jnp.float32}, dtype=nothing),
    _model(
        "initialize", lambda w: {"weights": w.module()}, weights=any_of(called, path, array, real, entries(real, dict))
    ),
    _model(
        "lora",
        rank=integer(1),
        alpha=real,
        target=optional(text),
        wrapper=optional(empty),
        specs=optional(nothing),
    ),
    _model(
        "tune",
        lambda w: {"freeze": [True]},
        **dict.fromkeys(_CONTROLS, any_of(none, entries(any_of(none, positive)))),
    ),
    _model(
        "export",
        lambda w: {"path": "model.stablehlo", "sample_inputs": jnp.ones((2, 1)), "polymorphic": False},
        sample_inputs=_inputs,
        platforms=optional(nothing),
        polymorphic=any_of(flag, entries(flag)),
    ),
    _model(
        "bayesian",
        lambda w: {"kernel_factory": optax.sgd},
        kernel_factory=called,
        prior=optional(called),
        warmup=integer(0),
        keep=size(1),
        thin=integer(1),
        num_chains=size(1),
        init_jitter=number(0),
        likelihood_scale=positive,
    ),
    _model(
        "vi",
        lambda w: {"factory": optax.sgd, "optimizer": optax.sgd(0.1)},
        factory=called,
        optimizer=nothing,
        num_samples=size(1),
        posterior_draws=size(1),
        prior=optional(called),
        likelihood_scale=positive,
    ),
]

_SOAP = {
    "b1": _below_one,
    "b2": _below_one,
    "shampoo_beta": number(-1, 1, below=True),
    "precondition_frequency": integer(1),
    "max_precond_dim": integer(0),
    "precision": nothing,
    "mu_dtype": _dtype,
    "qr_dtype": _dtype,
}
_OPTIMIZERS = [
    _of(
        "jno.optimizers.engd",
        lambda w: jno.optimizers.engd,
        gram_terms=optional(entries(operand)),
        gram_interval=integer(1),
        rcond=optional(number(0)),
    ),
    _of(
        "jno.optimizers.soap",
        lambda w: jno.optimizers.soap,
        learning_rate=any_of(_schedule, number(0)),
        eps=number(0),
        weight_decay=number(0),
        **_SOAP,
    ),
    _of(
        "jno.optimizers.scale_by_soap",
        lambda w: jno.optimizers.scale_by_soap,
        **_SOAP,
    ),
    *(
        _of(
            f"jno.optimizers.{label}",
            lambda w, label=label: getattr(jno.optimizers, label),
            learning_rate=optional(any_of(_schedule, number(0))),
            linesearch=optional(nothing),
        )
        for label in ("ssbfgs", "ssbroyden")
    ),
    _of(
        "jno.optimizers.scale_by_ss_quasi_newton",
        lambda w: jno.optimizers.scale_by_ss_quasi_newton,
        method=choice("ssbfgs", "ssbroyden"),
    ),
    *(
        _of(
            f"jno.optimizers.{label}",
            lambda w, label=label: getattr(jno.optimizers, label),
            lambda w, label=label: {("base" if label == "md" else "base_optimizer"): optax.sgd(0.1)},
            base=called,
            base_optimizer=called,
            gain_lr=any_of(_schedule, number(0)),
            gain_axis=entries(nothing),
            gain_map=choice("softplus"),
        )
        for label in ("md", "md_decouple")
    ),
]

_bound = optional(unusual(real))
_limits = {"min_lr": _bound, "max_lr": _bound}
_SCHEDULES = [
    _of(
        "LearningRateSchedule",
        lambda w: jno.LearningRateSchedule,
        lambda w: {"fn": lambda e, losses: 1e-3},
        fn=any_of(number(0), function),
        **_limits,
    ),
    *(
        _of(
            f"LearningRateSchedule.{label}",
            lambda w, label=label: getattr(jno.LearningRateSchedule, label),
            right,
            **kinds,
            **_limits,
        )
        for label, right, kinds in (
            ("constant", lambda w: {"lr": 1e-3}, {"lr": number(0)}),
            (
                "cosine",
                lambda w: {"total_steps": 9, "lr0": 1e-3},
                {"total_steps": integer(1), "lr0": number(0), "lr_end": number(0)},
            ),
            (
                "exponential",
                lambda w: {"lr0": 1e-3, "decay_rate": 0.5, "decay_steps": 3},
                {"lr0": number(0), "decay_rate": positive, "decay_steps": integer(1), "lr_end": number(0)},
            ),
            (
                "piecewise_constant",
                lambda w: {"boundaries": [2], "values": [1e-3, 1e-4]},
                {"boundaries": entries(integer(0)), "values": entries(number(0))},
            ),
            (
                "warmup_cosine",
                lambda w: {"total_steps": 9, "warmup_steps": 3},
                {"total_steps": integer(4), "warmup_steps": integer(0, 8), "lr0": number(0), "lr_end": number(0)},
            ),
        )
    ),
    _of(
        "WeightSchedule",
        lambda w: jno.WeightSchedule,
        lambda w: {"weights": [1.0, 2.0]},
        weights=any_of(entries(number(0)), called, array),
        min_weight=number(high=1e6),
        max_weight=number(0),
    ),
]

_ADAPTIVE = {
    "DLRS": {
        "lr0": positive,
        "window": size(2),
        "decremental_factor": number(0, 9),
        "stagnation_factor": number(0, 9),
        "increment_factor": number(0, 9),
        "min_lr": number(0, 1),
        "max_lr": number(1e-3),
    },
    "DWA": {"temperature": positive},
    "RLW": {"alpha": positive},
    "LbPINNsLossBalancing": {
        "init_s": any_of(real, entries(real), array),
        "lr_s": number(0),
        "beta1": _below_one,
        "beta2": _below_one,
        "eps_adam": number(0),
        "s_min": number(high=20),
        "s_max": number(-20),
    },
    "ReLoBRaLo": {"alpha": number(0, 1), "tau": positive, "expected_rho": number(0, 1)},
    "SoftAdapt": {"beta": real},
}
_BALANCERS = [
    *(
        _of(f"jno.fn.adaptive.{label}", lambda w, label=label: getattr(jno.fn.adaptive, label), **kinds)
        for label, kinds in _ADAPTIVE.items()
    ),
    _of(
        "jno.fn.adaptive.GradientNormBalanced",
        lambda w: jno.fn.adaptive.GradientNormBalanced,
        lambda w: {"tracker": jno.callbacks.GradientNorms()},
        tracker=nothing,
    ),
    _of(
        "jno.fn.adaptive.NTKBalanced",
        lambda w: jno.fn.adaptive.NTKBalanced,
        lambda w: {"trackers": [jno.callbacks.NTKSpectrum(w.model()(w.x).grad(w.model()))]},
        trackers=nothing,
        ema=number(0, 1),
    ),
    _of(
        "jno.fn.adaptive.weights",
        lambda w: jno.fn.adaptive.weights,
        lambda w: {"losses": [w.u.mse, w.v.mse], "rule": jno.fn.adaptive.SoftAdapt()},
        losses=entries(operand),
        rule=nothing,
        mode=choice("raw", "none", "minmax", "l2"),
        eps=number(0),
    ),
    *(
        Recipe(
            f"jno.fn.adaptive.{label}",
            lambda w, label=label: getattr(jno.fn.adaptive, label),
            lambda w: {"losses": [w.u.mse, w.v.mse]},
            {
                "losses": optional(any_of(entries(operand), integer(1))),
                "mode": choice("raw", "relative", "log"),
                "eps": number(0),
            },
            skipped=("arguments",),
        )
        for label in ("dwa", "rlw", "relobralo", "softadapt", "lbpinns_loss_balancing", "first_magnitude")
    ),
]

_SAMPLERS = [
    _of(f"jno.sampler.{label}", lambda w, label=label: getattr(jno.sampler, label), **kinds)
    for label, kinds in {
        "random": {},
        "rad": {"k": number(0), "c": number(0)},
        "rard": {"power": number(0)},
        "ha": {"power": number(0)},
        "r3": {"threshold": any_of(real, choice("mean")), "min_retain": number(0, 0.9), "max_retain": number(0.3, 1)},
        "cr3": {
            "t_index": integer(-3, 3),
            "alpha": number(0),
            "gamma0": real,
            "eta_g": number(0),
            "epsilon": number(0),
            "delta_max": number(0),
            "min_retain": number(0, 0.9),
            "max_retain": number(0.1, 1),
        },
        "pinnfluence": {"alpha": number(0), "c": number(0), "candidate_factor": size(1)},
    }.items()
] + [
    Recipe(
        "jno.sampler.graded",
        lambda w: jno.sampler.graded,
        lambda w: {"near": "left"},
        {
            "near": any_of(text, array, real),
            "share": number(0, 1, above=True, below=True),
            "finest": optional(positive),
            "power": optional(positive),
            "sampler": text,
        },
    )
]

_constraints = optional(entries(operand))
_CALLBACKS = [
    _of(f"jno.callbacks.{label}", lambda w, label=label: getattr(jno.callbacks, label), right, **kinds)
    for label, right, kinds in (
        (
            "checkpoint",
            lambda w: {"directory": "checkpoints"},
            {
                "directory": optional(path),
                "save_interval_epochs": integer(1),
                "max_to_keep": optional(integer(1)),
                "best_fn": optional(function),
                "monitor": optional(name),
                "mode": choice("min", "max"),
            },
        ),
        (
            "early_stopping",
            lambda w: {},
            {
                "patience": integer(1),
                "min_delta": number(0),
                "mode": choice("min", "max", "rel"),
                "metric_fn": optional(called),
                "baseline": optional(real),
                "monitor": optional(name),
            },
        ),
        (
            "engd",
            lambda w: {"gram_terms": [w.u]},
            {"gram_terms": entries(operand), "gram_interval": integer(1), "rcond": optional(number(0))},
        ),
        ("cos_similarity", lambda w: {}, {}),
        ("gradient_alignment", lambda w: {}, {}),
        ("gradient_norms", lambda w: {}, {}),
        ("hessian_spectrum", lambda w: {}, {"k": size(1), "n_iter": size(10), "constraints": _constraints}),
        ("input_sensitivity", lambda w: {"expr": w.u}, {"expr": operand}),
        ("loss_landscape", lambda w: {}, {"n_grid": size(2), "alpha_range": positive}),
        (
            "ntk_spectrum",
            lambda w: {"grad_expr": w.u.grad(w.model())},
            {"grad_expr": operand, "n_points": integer(1), "top_k": integer(1)},
        ),
        ("residual_stats", lambda w: {}, {"constraints": _constraints}),
    )
]

_SPACES = [
    _space(
        "unique",
        lambda w: {"name": "a", "options": [1, 2]},
        name=name,
        options=entries(lambda v: Verdict.EITHER, list, tuple),
        category=optional(choice("architecture", "training")),
    ),
    _space(
        "float_range",
        lambda w: {"name": "a", "low": 0.1, "high": 9.0},
        name=name,
        low=number(high=9),
        high=number(0.1),
        category=choice("architecture", "training"),
    ),
    _space(
        "int_range",
        lambda w: {"name": "a", "low": 1, "high": 9},
        name=name,
        low=integer(-(10**9), 9),
        high=integer(1),
        category=choice("architecture", "training"),
    ),
    _of(
        "DeviceConfig.from_spec",
        lambda w: jno.tuner.DeviceConfig.from_spec,
        lambda w: {"spec": 1},
        spec=optional(any_of(integer(1, 1), entries(integer(0, 0)))),
    ),
]

TRAINING = [*_PROBLEMS, *_MODELS, *_OPTIMIZERS, *_SCHEDULES, *_BALANCERS, *_SAMPLERS, *_CALLBACKS, *_SPACES]
