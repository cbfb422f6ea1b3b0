"""Which leaves of which model are trained by which transform, or sampled."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import optax
from jaxtyping import PyTree

from jno.architectures import checked_mask, overlap, trained_leaves
from jno.optimizers import MDOptimizer, as_transformation, with_pairs_of_one_loss
from jno.trace import UNUSED_MASK, Model, ParameterGroup, is_transformation
from jno.utils import get_logger

from ._scales import as_scale, scaled
from ._types import Leaves

DEFAULT_LEARNING_RATE = 1e-3


@dataclasses.dataclass(frozen=True)
class OptimizerGroup:
    """One transform over the leaves ``selected`` (a filter of the model's module) of one model."""

    layer_id: int
    name: str
    selected: PyTree
    transform: optax.GradientTransformationExtraArgs
    """Its updates take the epoch and the losses of the constraints besides what line searches need."""

    def pick(self, parameters: Leaves) -> PyTree:
        """The group's leaves, ``None`` elsewhere."""
        return eqx.filter(parameters[self.layer_id], self.selected)


@dataclasses.dataclass(frozen=True)
class Claim:
    """The request for the leaves ``selected`` (a filter of the module) of a model: an optimizer or a posterior."""

    model: Model
    name: str
    selected: PyTree
    request: ParameterGroup


def claims(models: Sequence[Model]) -> list[Claim]:
    """The claims of all models; frozen models have none.

    Raises:
        ValueError: a trainable leaf without a claim, overlapping masks.
    """
    return [claim for model in models for claim in _claims_of(model)]


def optimizer_groups(claims: Sequence[Claim], constraints: int) -> list[OptimizerGroup]:
    """The groups with optimizers, for a problem with this number of constraints."""
    return [_group(claim, constraints) for claim in claims if claim.request.posterior is None]


def _claims_of(model: Model) -> list[Claim]:
    controls, name = model.controls, model.model_key
    _check_pending(model)
    if controls.frozen:
        return []
    default = controls.default_group
    _check_default(model, default)
    trainable = remaining = trained_leaves(model.module, controls.adapters)
    for mask in controls.freeze_masks:
        remaining = _and_not(remaining, _trainable_of(model, mask, trainable, f"{name}.freeze()"))
    claims = []
    for number, (group, selected) in enumerate(_masked_groups(model, trainable)):
        group = _with_defaults(group, default)
        if _is_empty(group):
            raise ValueError(f"model {name!r}: group {number} has a scale but no optimizer")
        unfrozen = jax.tree_util.tree_map(lambda a, b: a and b, selected, remaining)
        claims.append(Claim(model, f"{name}[{number}]", unfrozen, group))
        remaining = _and_not(remaining, selected)
    if any(jax.tree_util.tree_leaves(remaining)):
        if _is_empty(default):
            raise ValueError(
                f"model {name!r} has no optimizer for the leaves outside its masks, and was not told to keep them as "
                f"they are: call {name}.optimizer(...) before mask(...) to train them as well, or "
                f"{name}.mask(...).freeze() with a mask of them"
            )
        claims.append(Claim(model, name, remaining, default))
    _check_scales(name, default, claims)
    return claims


def _check_pending(model: Model) -> None:
    name = model.model_key
    if model.open_mask is not None:
        raise ValueError(f"{name}.mask(...): the mask acts on nothing. {UNUSED_MASK}")
    if model.controls.waiting_lora is not None:
        raise ValueError(f"{name}.lora() was called after this core was built; build a new core, or call compile()")


def _check_default(model: Model, default: ParameterGroup) -> None:
    name, groups = model.model_key, model.controls.groups
    if _is_empty(default) and not groups:
        raise ValueError(
            f"model {name!r} has no optimizer: call {name}.optimizer(optax.adam(1e-3)) or {name}.freeze() "
            "before solve()"
        )
    if default.posterior is not None and groups:
        raise ValueError(
            f"model {name!r}: a global .bayesian() or .vi() samples all of its leaves and cannot stand beside the "
            f"{len(groups)} parameter group(s) set after mask(...); give it a mask of its own, or reset()"
        )


def _check_scales(name: str, default: ParameterGroup, claims: Sequence[Claim]) -> None:
    for claim in claims:
        if claim.request.posterior is not None and claim.request.scale is not None:
            raise ValueError(
                f"scale() of {claim.name}: it multiplies updates of an optimizer; sampled leaves have none"
            )
    if default.scale is not None and not any(claim.request.scale is default.scale for claim in claims):
        raise ValueError(
            f"{name}.scale() acts on nothing: all leaves with an optimizer are in masks with scales of their own; "
            "leave it out, or scale the masks without one"
        )


def _masked_groups(model: Model, trainable: PyTree) -> list[tuple[ParameterGroup, PyTree]]:
    """The groups set after masks with the leaves they select, which do not overlap."""
    name = model.model_key
    masked: list[tuple[ParameterGroup, PyTree]] = []
    for number, group in enumerate(model.controls.groups):
        selected = _trainable_of(model, group.mask, trainable, f"{name}, group {number}")
        for _, earlier in masked:
            common = overlap(selected, earlier)
            if common:
                raise ValueError(f"model {name!r}: the masks of two groups overlap at {', '.join(common)}")
        masked.append((group, selected))
    return masked


def _trainable_of(model: Model, mask: object, trainable: PyTree, name: str) -> PyTree:
    """The leaves a mask selects, some of which can be trained."""
    selected = checked_mask(model.module, mask, name)
    if not any(jax.tree_util.tree_leaves(jax.tree_util.tree_map(lambda a, b: bool(a and b), selected, trainable))):
        raise ValueError(
            f"mask of {name} selects no trainable leaf: training of an adapted network changes its adapters"
            + ("" if model.controls.adapters == "only" else " and the layers without one")
        )
    return selected


def _with_defaults(group: ParameterGroup, default: ParameterGroup) -> ParameterGroup:
    """The group of a mask with what it takes from that of the model."""
    if group.posterior is not None:
        return group
    if group.optimizer is None:
        group = dataclasses.replace(group, optimizer=default.optimizer)
    if group.scale is None and group.inherits_scale:
        group = dataclasses.replace(group, scale=default.scale)
    return group


def _is_empty(group: ParameterGroup) -> bool:
    return group.optimizer is None and group.posterior is None


def _and_not(selected: PyTree, excluded: PyTree) -> PyTree:
    return jax.tree_util.tree_map(lambda a, b: bool(a and not b), selected, excluded)


def _group(claim: Claim, constraints: int) -> OptimizerGroup:
    name, scale = claim.name, claim.request.scale
    transform = as_transform(claim.request.optimizer, name, scale is not None)
    rule = None if scale is None else as_scale(scale, name, constraints)
    if rule is None:  # a scaled step does not end where its search did
        transform = with_pairs_of_one_loss(transform)
    return OptimizerGroup(claim.model.layer_id, name, claim.selected, scaled(transform, rule))


def as_transform(optimizer: Any, name: str, scaled: bool) -> optax.GradientTransformationExtraArgs:
    """An optax transform from a transform or a factory.

    A factory whose ``learning_rate`` has no default gets 1 when a scale is attached (the scale is then the rate) and
    1e-3 otherwise, which is logged once.
    """
    if isinstance(optimizer, MDOptimizer):
        if scaled:
            raise ValueError(
                f"optimizer of {name}: the updates of md(...) are no multiples of a learning rate, so scale() has no "
                "meaning for them, neither that of a mask nor that of the whole model; put the schedule into the base "
                "optimizer"
            )
        return optimizer.transform()
    if is_transformation(optimizer):
        return as_transformation(optimizer, f"optimizer of {name}")
    rate = inspect.signature(optimizer).parameters.get("learning_rate")
    if rate is not None and rate.default is inspect.Parameter.empty:
        if not scaled:
            get_logger().once(
                f"{name}: the optimizer factory was given no learning rate and trains at {DEFAULT_LEARNING_RATE}; "
                "pass e.g. optax.adam(1e-3) to choose it"
            )
        built = optimizer(1.0 if scaled else DEFAULT_LEARNING_RATE)
    else:
        built = optimizer()
    if not is_transformation(built):
        raise TypeError(f"optimizer of {name}: the factory returned {type(built).__name__}, not an optax transform")
    return as_transformation(built, f"optimizer of {name}")
