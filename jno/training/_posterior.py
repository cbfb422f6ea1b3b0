"""From requests on models to blocks of sampled leaves, checked against the problem and the options."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jno.architectures import leaf_paths, user_leaves
from jno.bayesian import GaussianApproximation, Kernel, kernel_of, priors
from jno.compiler import Program, noise_nodes
from jno.trace import Initialization, Model, Posterior, Sampling, Variational

from ._batches import MiniBatches
from ._groups import Claim
from ._markov_block import MarkovBlock, Thinning
from ._options import Options
from ._parameter_block import LogDensity, ParameterBlock
from ._variational_block import VariationalBlock

_LEAST_BITS = 32
_PLAIN = bool | int | float | str


@dataclasses.dataclass(frozen=True)
class _JointClaims:
    """Claims whose leaves are sampled together, under one request."""

    request: Posterior
    claims: tuple[Claim, ...]

    @property
    def name(self) -> str:
        return "+".join(claim.name for claim in self.claims)

    def takes(self, claim: Claim, request: Posterior) -> bool:
        """Whether all settings but the prior are the same, and the model is not there yet."""
        if type(self.request) is not type(request) or any(member.model is claim.model for member in self.claims):
            return False
        return all(
            _same(self.request.__dict__[field.name], request.__dict__[field.name])
            for field in dataclasses.fields(request)
            if field.name != "prior"
        )


def blocks_of(claims: Sequence[Claim], *, together: bool) -> list[ParameterBlock]:
    """The parameter blocks of the sampled leaves; with ``together`` models of equal settings share one.

    Raises:
        ValueError: settings that do not go together, complex parameters, a prior that does not return one number.
        ImportError: Blackjax is not installed.
    """
    groups = _grouped(claims, together)
    requests = [claim.request.posterior for claim in claims if claim.request.posterior is not None]
    _check_alike(requests)
    kernels = [
        kernel_of(group.request, group.claims[0].name) if isinstance(group.request, Sampling) else None
        for group in groups
    ]
    # all chains keep draws of the same epochs, so that draws of different models belong together
    warmups = [
        group.request.warmup
        for group, kernel in zip(groups, kernels, strict=True)
        if isinstance(group.request, Sampling) and kernel is not None and not kernel.adapts
    ]
    discard = max(warmups, default=0)
    blocks = [_block(group, kernel, discard) for group, kernel in zip(groups, kernels, strict=True)]
    for claim in claims:
        if claim.model.controls.start is not None and isinstance(claim.request.posterior, Variational):
            raise ValueError(
                f"model {claim.model.model_key!r}: an initializer that needs the log density starts chains of "
                "bayesian(); with vi() the start is the weights of the model"
            )
    return blocks


def _grouped(claims: Sequence[Claim], together: bool) -> list[_JointClaims]:
    groups: list[_JointClaims] = []
    for claim in claims:
        request = claim.request.posterior
        if request is None:
            continue
        _check_real(claim)
        place = next((i for i, group in enumerate(groups) if together and group.takes(claim, request)), None)
        if place is None:
            groups.append(_JointClaims(request, (claim,)))
        else:
            groups[place] = dataclasses.replace(groups[place], claims=(*groups[place].claims, claim))
    return groups


def _block(group: _JointClaims, kernel: Kernel | None, discard: int) -> ParameterBlock:
    request = group.request
    shared: dict[str, Any] = {
        "name": group.name,
        "selected": {claim.model.layer_id: claim.selected for claim in group.claims},
        "stored": {claim.model.layer_id: eqx.filter(claim.model.module, claim.selected) for claim in group.claims},
        "prior": _prior_of(group),
        "scale": request.likelihood_scale,
    }
    if isinstance(request, Variational):
        return VariationalBlock(GaussianApproximation(request, group.name), request.posterior_draws, **shared)
    assert kernel is not None  # every request of chains has one
    _check_precision(group, kernel)
    thinning = Thinning(discard, request.keep, request.thin)
    adaptation = request.warmup if kernel.adapts else 0
    return MarkovBlock(kernel, thinning, adaptation, request.init_jitter, chains=request.num_chains, **shared)


def _same(left: object, right: object) -> bool:
    """Equal numbers and names, or the same object; an array is made for one model and never the same."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in left)
    if isinstance(left, _PLAIN) and isinstance(right, _PLAIN):
        return left == right
    return left is right and not isinstance(left, jax.Array | np.ndarray)


def _check_real(claim: Claim) -> None:
    for path, leaf in leaf_paths(eqx.filter(claim.model.module, claim.selected)):
        if jnp.iscomplexobj(leaf):
            raise ValueError(f"{claim.name}: {path} is complex; a log density is sampled over real parameters only")


def _check_precision(group: _JointClaims, kernel: Kernel) -> None:
    for claim in group.claims if kernel.exact else ():
        for path, leaf in leaf_paths(eqx.filter(claim.model.module, claim.selected)):
            if jnp.finfo(leaf.dtype).bits < _LEAST_BITS:
                raise ValueError(
                    f"{claim.name}: {path} is {leaf.dtype}, in which a loss has too few digits for the differences of "
                    f"the log density that this kernel looks at: use {claim.model.model_key}.dtype(jnp.float32), or a "
                    "stochastic-gradient kernel such as blackjax.sgld"
                )


def _check_alike(requests: Sequence[Posterior]) -> None:
    markov = [request for request in requests if isinstance(request, Sampling)]
    for field in ("num_chains", "keep", "thin"):
        values = sorted({request.__dict__[field] for request in markov})
        if len(values) > 1:
            raise ValueError(
                f"the Bayesian models of one core must have the same {field}, so that their draws belong together; "
                f"found {values}"
            )
    draws = sorted({r.keep if isinstance(r, Sampling) else r.posterior_draws for r in requests})
    if len(draws) > 1:
        raise ValueError(
            f"keep= of bayesian() and posterior_draws= of vi() must be equal in one core, found {draws}: draws of "
            "different models belong together"
        )


def _prior_of(group: _JointClaims) -> LogDensity:
    densities = []
    for claim in group.claims:
        prior = _prior(claim)
        position = user_leaves(eqx.filter(claim.model.module, claim.selected))
        result = jax.eval_shape(prior, position)
        if not isinstance(result, jax.ShapeDtypeStruct) or result.shape != ():
            raise ValueError(
                f"prior of {claim.name}: it must return one number, the log density of all its parameters; it returns "
                f"{result.shape if isinstance(result, jax.ShapeDtypeStruct) else type(result).__name__} - sum it up"
            )
        densities.append((claim.model.layer_id, prior))
    return lambda position: sum(prior(user_leaves(position[i])) for i, prior in densities)


def _prior(claim: Claim) -> Callable[[PyTree], Any]:
    request = claim.request.posterior
    return priors.gaussian(10.0) if request is None or request.prior is None else request.prior


def check_problem(
    blocks: Sequence[ParameterBlock],
    program: Program,
    mini_batches: MiniBatches,
    options: Options,
    *,
    balanced: bool,
    resampled: bool,
) -> None:
    """Refuse problems and options that would change the posterior of the parameter blocks.

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
    if options.substeps and any(block.adaptation for block in blocks):
        raise ValueError(f"substeps= and window adaptation (adapt=True) of {names} are not compatible: use adapt=False")
    exact = ", ".join(block.name for block in blocks if block.exact)
    if exact:
        reason = _randomness(program, mini_batches, resampled)
        if reason:
            raise ValueError(
                f"the kernel of {exact} needs a log density that is the same whenever it is evaluated, and {reason}; "
                "or use a stochastic-gradient kernel such as blackjax.sgld"
            )


def _randomness(program: Program, mini_batches: MiniBatches, resampled: bool) -> str:
    """Why the loss is not always the same, and what to do; empty if it is."""
    if mini_batches.points:
        return "point_batch= draws mini-batches of points: leave point_batch= out"
    if not mini_batches.full:
        return f"batchsize={mini_batches.size} draws mini-batches: leave batchsize= out"
    if noise_nodes(program.roots):
        return "the constraints contain noise: use fixed data"
    if program.window < program.layout.levels:
        return "time windows are drawn at random: use min_consecutive=None"
    if resampled:
        return "points are resampled: leave resampling_strategy= out"
    return ""


def pending_starts(blocks: Sequence[ParameterBlock], models: Sequence[Model]) -> dict[str, Initialization]:
    """The initializer of every block that has one, by the block's name.

    Raises:
        ValueError: some models of a block have none, or another one; a model that is not sampled has one.
    """
    starts: dict[str, Initialization] = {}
    sampled = {i for block in blocks for i in block.selected}
    for model in models:
        if model.controls.start is not None and model.layer_id not in sampled:
            raise ValueError(
                f"model {model.model_key!r} was given an initializer that needs the log density of a posterior: call "
                f"{model.model_key}.bayesian(...) too, or initialize it otherwise"
            )
    for block in blocks:
        of_block = [model.controls.start for model in models if model.layer_id in block.selected]
        if len({id(None if start is None else start.weights) for start in of_block}) > 1:
            raise ValueError(
                f"the models of {block.name} are sampled together: give all the same initializer object, or none"
            )
        if of_block[0] is not None:
            starts[block.name] = of_block[0]
    return starts
