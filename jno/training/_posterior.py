"""From requests on models to blocks of sampled leaves, checked against the problem and the options."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jno.architectures import leaf_paths, shown
from jno.bayesian import GaussianApproximation, Kernel, kernel_of, priors
from jno.compiler import Program, noise_nodes
from jno.trace import Model, Posterior, Sampling

from ._batches import Draws
from ._chains import Block, MarkovBlock, Plan, VariationalBlock
from ._groups import Claim
from ._options import Options

_LEAST_BITS = 32
_PLAIN = bool | int | float | str


def blocks_of(claims: Sequence[Claim], *, together: bool) -> list[Block]:
    """The blocks of sampled leaves; with ``together`` models of equal settings share one.

    Raises:
        ValueError: settings that do not go together, complex parameters, a prior that is no number.
        ImportError: Blackjax is not installed.
    """
    random = [claim for claim in claims if claim.request.posterior is not None]
    for claim in random:
        _check_real(claim)
    gathered: list[list[Claim]] = []
    for claim in random:
        own = next((g for g in gathered if together and _go_together(g, claim)), None)
        if own is None:
            gathered.append([claim])
        else:
            own.append(claim)
    requests = [claim.request.posterior for claim in random]
    markov = [request for request in requests if isinstance(request, Sampling)]
    _check_alike(requests, markov)
    kernels = [
        kernel_of(p, group[0].name) if isinstance(p, Sampling) else None for group in gathered for p in [_of(group)]
    ]
    # all chains keep draws of the same epochs, so that draws of different models belong together
    discard = max((_of(g).warmup for g, k in zip(gathered, kernels, strict=True) if k and not k.adapts), default=0)
    blocks: list[Block] = []
    for group, kernel in zip(gathered, kernels, strict=True):
        record = _of(group)
        shared: dict[str, Any] = {
            "name": "+".join(claim.name for claim in group),
            "selected": {claim.model.layer_id: claim.selected for claim in group},
            "stored": {claim.model.layer_id: eqx.filter(claim.model.module, claim.selected) for claim in group},
            "prior": _prior_of(group),
            "scale": record.likelihood_scale,
        }
        if kernel is None:
            approximation = GaussianApproximation(record, shared["name"])
            blocks.append(VariationalBlock(approximation, record.posterior_draws, **shared))
        else:
            _check_precision(group, kernel)
            plan = Plan(discard, record.keep, record.thin)
            warmup = record.warmup if kernel.adapts else 0
            blocks.append(MarkovBlock(kernel, plan, warmup, record.init_jitter, chains=record.num_chains, **shared))
    for claim in random:
        if claim.model.controls.start is not None and not isinstance(claim.request.posterior, Sampling):
            raise ValueError(
                f"model {claim.model.model_key!r}: an initializer that needs the log density starts chains of "
                "bayesian(); with vi() the start is the weights of the model"
            )
    return blocks


def _of(group: list[Claim]) -> Any:
    return group[0].request.posterior


def _go_together(group: list[Claim], claim: Claim) -> bool:
    """Whether all settings but the prior are the same, and each model is there once."""
    first, own = _of(group), _of([claim])
    if type(first) is not type(own) or any(c.model is claim.model for c in group):
        return False
    return all(
        _same(first.__dict__[field.name], own.__dict__[field.name])
        for field in dataclasses.fields(own)
        if field.name != "prior"
    )


def _same(first: Any, second: Any) -> bool:
    """Equal numbers and names, or the same object; an array is made for one model and never the same."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(_same(first[name], second[name]) for name in first)
    if isinstance(first, _PLAIN) and isinstance(second, _PLAIN):
        return first == second
    return first is second and not isinstance(first, jax.Array | np.ndarray)


def _check_real(claim: Claim) -> None:
    for path, leaf in leaf_paths(eqx.filter(claim.model.module, claim.selected)):
        if jnp.iscomplexobj(leaf):
            raise ValueError(f"{claim.name}: {path} is complex; a log density is sampled over real parameters only")


def _check_precision(group: list[Claim], kernel: Kernel) -> None:
    for claim in group if kernel.exact else ():
        for path, leaf in leaf_paths(eqx.filter(claim.model.module, claim.selected)):
            if jnp.finfo(leaf.dtype).bits < _LEAST_BITS:
                raise ValueError(
                    f"{claim.name}: {path} is {leaf.dtype}, in which a loss has too few digits for the differences of "
                    f"the log density that this kernel looks at: use {claim.model.model_key}.dtype(jnp.float32), or a "
                    "stochastic-gradient kernel such as blackjax.sgld"
                )


def _check_alike(requests: Sequence[Posterior | None], markov: Sequence[Sampling]) -> None:
    for field in ("num_chains", "keep", "thin"):
        values = sorted({request.__dict__[field] for request in markov})
        if len(values) > 1:
            raise ValueError(
                f"the Bayesian models of one core must have the same {field}, so that their draws belong together; "
                f"found {values}"
            )
    draws = sorted({r.keep if isinstance(r, Sampling) else r.posterior_draws for r in requests if r is not None})
    if len(draws) > 1:
        raise ValueError(
            f"keep= of bayesian() and posterior_draws= of vi() must be equal in one core, found {draws}: draws of "
            "different models belong together"
        )


def _prior_of(group: list[Claim]) -> Any:
    densities = []
    for claim in group:
        prior = priors.gaussian(10.0) if _prior(claim) is None else _prior(claim)
        position = shown(eqx.filter(claim.model.module, claim.selected))
        found = jax.eval_shape(prior, position)
        if not isinstance(found, jax.ShapeDtypeStruct) or found.shape != ():
            raise ValueError(
                f"prior of {claim.name}: it must return one number, the log density of all its parameters; it returns "
                f"{found.shape if isinstance(found, jax.ShapeDtypeStruct) else type(found).__name__} - sum it up"
            )
        densities.append((claim.model.layer_id, prior))
    return lambda position: sum(prior(shown(position[i])) for i, prior in densities)


def _prior(claim: Claim) -> Any:
    assert claim.request.posterior is not None
    return claim.request.posterior.prior


def check_problem(
    blocks: Sequence[Block], program: Program, draws: Draws, options: Options, *, balanced: bool, resampled: bool
) -> None:
    """Refuse problems and options under which the blocks would not have the posterior that was asked for.

    Raises:
        ValueError: naming the option.
    """
    if not blocks:
        return
    names = ", ".join(block.name for block in blocks)
    if options.hooked:
        callbacks = ", ".join(type(callback).__name__ for callback in options.hooking)
        raise ValueError(
            f"{callbacks}.on_before_update() sees gradients of optimizers; it cannot be used with the "
            f"Bayesian model {names}"
        )
    restoring = ", ".join(type(callback).__name__ for callback in options.callbacks if callback.restores_weights)
    if restoring:
        raise ValueError(
            f"{restoring} would put back the best weights, and a posterior has draws instead: leave it out "
            f"(restore_best=False) with the Bayesian model {names}"
        )
    if options.accumulation_steps > 1:
        raise ValueError(
            f"accumulation_steps= averages gradients of optimizers; leave it out with the Bayesian model {names}"
        )
    if options.checkpoint_gradients:
        raise ValueError(f"checkpoint_gradients=True is not available with the Bayesian model {names}: leave it out")
    if balanced:
        raise ValueError(
            f"weights that follow the losses change the posterior of {names} while it is sampled; use fixed weights"
        )
    if options.substeps and any(isinstance(block, MarkovBlock) and block.adaptation for block in blocks):
        raise ValueError(f"substeps= and window adaptation (adapt=True) of {names} are not compatible: use adapt=False")
    exact = ", ".join(block.name for block in blocks if block.exact)
    if exact:
        reason = _randomness(program, draws, resampled)
        if reason:
            raise ValueError(
                f"the kernel of {exact} needs a log density that is the same whenever it is evaluated, and {reason}; "
                "or use a stochastic-gradient kernel such as blackjax.sgld"
            )


def _randomness(program: Program, draws: Draws, resampled: bool) -> str:
    """Why the loss is not always the same, and what to do; empty if it is."""
    if not draws.everything:
        return f"batchsize={draws.size} draws mini-batches: leave batchsize= out"
    if noise_nodes(program.roots):
        return "the constraints contain noise: use fixed data"
    if program.window < program.layout.levels:
        return "time windows are drawn at random: use min_consecutive=None"
    if resampled:
        return "points are resampled: leave resampling_strategy= out"
    return ""


def check_epochs(blocks: Sequence[Block], states: Sequence[Any], epochs: int) -> list[str]:
    """What to tell the user about the number of draws.

    Raises:
        ValueError: not a single draw would be kept.
    """
    told = []
    for block, state in zip(blocks, states, strict=True):
        if not isinstance(block, MarkovBlock):
            continue
        done = int(state.transitions)
        kept, plan = block.plan.kept(done + epochs), block.plan
        if kept == 0:
            raise ValueError(
                f"epochs={epochs} ends before the first draw of {block.name} is kept: after {plan.discard} "
                f"transitions of warm-up every {plan.thin}. is kept; use epochs={plan.discard + plan.keep * plan.thin}"
            )
        if kept < plan.keep:
            told.append(
                f"{block.name}: {kept} of keep={plan.keep} draws after epochs={epochs}; all of them need "
                f"{plan.discard + plan.thin * plan.keep - done} epochs"
            )
    return told


def pending_starts(blocks: Sequence[Block], models: Sequence[Model]) -> dict[str, Any]:
    """The initializer of every block that has one, by the block's name.

    Raises:
        ValueError: some models of a block have none, or another one; a model that is not sampled has one.
    """
    found: dict[str, Any] = {}
    sampled = {i for block in blocks for i in block.selected}
    for model in models:
        if model.controls.start is not None and model.layer_id not in sampled:
            raise ValueError(
                f"model {model.model_key!r} was given an initializer that needs the log density of a posterior: call "
                f"{model.model_key}.bayesian(...) too, or initialize it otherwise"
            )
    for block in blocks:
        own = [model.controls.start for model in models if model.layer_id in block.selected]
        if len({id(None if start is None else start.weights) for start in own}) > 1:
            raise ValueError(
                f"the models of {block.name} are sampled together: give all the same initializer object, or none"
            )
        if own[0] is not None:
            found[block.name] = own[0]
    return found
