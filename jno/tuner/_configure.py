"""Putting a configuration into a problem: networks, models, expressions, options of `solve`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import optax

from jno.architectures import SOLVE_OPTIONS, Arch, ArchSpace, TunableModule
from jno.compiler import models_of
from jno.trace import Model, Node, ParameterGroup, Placeholder, Scale, Tracker, choices_of, decided

from ._merged_space import tunable
from ._rates import at_rate, needs_rate
from ._weights import weighted

DEFAULT_EPOCHS = 2000
DEFAULT_RATE = 1e-3
_ARCHITECTURE_STREAM = 0x7A2C


@dataclasses.dataclass(frozen=True)
class Names:
    """What names of a configuration mean in a problem, and in a copy of it, where unnamed models change theirs."""

    architecture: tuple[str, ...]
    """Those that networks of a searched architecture get."""
    models: tuple[str, ...]
    """Keys of the models, in the order of `models_of`."""

    @classmethod
    def of(cls, space: ArchSpace, operations: Sequence[Any]) -> Names:
        """Those of a space, as `merged_space` gives it."""
        keys = tuple(model.model_key for model in models_of(operations))
        return cls(tuple(space.architecture_space.names), keys)


@dataclasses.dataclass(frozen=True)
class Configured:
    """A problem with a configuration in it."""

    operations: list[Any]
    """What to train on: constraints with their weights, and trackers."""
    constraints: list[Placeholder]
    """The constraints without weights."""
    choices: dict[str, int]
    """Positions of the options of choices."""
    options: dict[str, Any]
    """Options of `solve`."""
    weights: list[float] | None
    """Fixed weights of the constraints."""


def configure(operations: Sequence[Any], configuration: Mapping[str, Any], names: Names, seed: int) -> Configured:
    """Change the models of these operations as the configuration says, and give what remains to be done.

    Args:
        operations: constraints and trackers as the user wrote them.
        configuration: values by name.
        names: how they belong to the operations.
        seed: of the weights of networks whose architecture is searched.
    """
    training = {name: value for name, value in configuration.items() if name not in names.architecture}
    for position, (model, key) in enumerate(zip(models_of(operations), names.models, strict=True)):
        if isinstance(model, TunableModule):
            random = jax.random.fold_in(jax.random.PRNGKey(seed), _ARCHITECTURE_STREAM + position)
            model.take(_arch_of(model, configuration, names.architecture, operations), random)
        _set_precision_and_training(model, key, training)
        if not model.controls.frozen:
            _set_optimizer(model, key, training)
    choices = {choice.dimension: configuration[choice.dimension] for choice in choices_of(operations)}
    plain = [decided(operation, choices) for operation in operations]
    constraints = [operation for operation in plain if not isinstance(operation, Tracker)]
    weights = training.get("constraint_weights", training.get("weight_schedule"))
    trained = iter(constraints if weights is None else weighted(constraints, weights))
    options = {name: training[name] for name in SOLVE_OPTIONS if name in training}
    return Configured(
        operations=[operation if isinstance(operation, Tracker) else next(trained) for operation in plain],
        constraints=constraints,
        choices=choices,
        options={"epochs": training.get("epochs", DEFAULT_EPOCHS), **options},
        weights=None if weights is None or callable(weights) else [float(weight) for weight in weights],
    )


def _arch_of(
    model: TunableModule, configuration: Mapping[str, Any], names: Sequence[str], operations: Sequence[Node]
) -> Arch:
    """The network's own names, and those of the sweep's space that no network has for itself and this one takes."""
    of_networks = {name for network in tunable(operations) for name in network.space.names}
    shared = [name for name in names if name not in of_networks and model.accepts(name)]
    names_of_model = model.space.architecture_space.names
    return Arch({name: configuration[name] for name in [*names_of_model, *shared]})


def _set_precision_and_training(model: Model, key: str, configuration: Mapping[str, Any]) -> None:
    if f"{key}__dtype" in configuration:
        model.dtype(configuration[f"{key}__dtype"])
    if f"{key}__freeze" in configuration:
        model.unfreeze()
        if configuration[f"{key}__freeze"]:
            model.freeze()
    adapters = configuration.get(f"{key}__lora")
    if adapters is not None:
        rank, alpha = adapters
        model.lora(rank, alpha)


def _set_optimizer(model: Model, key: str, configuration: Mapping[str, Any]) -> None:
    """The optimizer of the default group; those of masks and posteriors stay."""
    default = model.controls.default_group
    named = f"{key}__optimizer" in configuration
    if default.posterior is not None and not named:
        return
    optimizer = configuration.get(f"{key}__optimizer", configuration.get("optimizer", default.optimizer))
    rate = configuration.get(f"{key}__lr", configuration.get("learning_rate"))
    if optimizer is None:
        if model.controls.groups:
            return
        optimizer = optax.adam
    scale = default.scale
    if rate is None and scale is None and needs_rate(optimizer):
        rate = DEFAULT_RATE
    if rate is not None:
        optimizer, scale = at_rate(optimizer, rate)
    group = dataclasses.replace(default, optimizer=optimizer, scale=scale, posterior=None)
    groups = tuple(_with_scale(masked, default.scale) for masked in model.controls.groups)
    model.controls = dataclasses.replace(model.controls, default_group=group, groups=groups)
    model.version += 1


def _with_scale(group: ParameterGroup, scale: Scale | None) -> ParameterGroup:
    """The group of a mask as it was: a learning rate that is searched belongs to the optimizer of the model."""
    if group.optimizer is None or group.scale is not None or not group.inherits_scale:
        return group
    return dataclasses.replace(group, scale=scale, inherits_scale=False)
