"""The space a sweep searches: what the user named, what networks, models and choices bring, checked together."""

from __future__ import annotations

from collections.abc import Sequence

from jno.architectures import TRAINING_NAMES, ArchSpace, ChoiceOfOptions, Dimension, TunableModule, check_training
from jno.compiler import models_of
from jno.trace import Model, Node, choices_of, is_optimizer

from ._rates import takes_rate


def merged_space(space: object, operations: Sequence[Node]) -> ArchSpace:
    """The dimensions of ``space``, of tunable networks, of choices (positions) and of ``Model.tune``.

    Raises:
        TypeError: ``space`` is not a search space.
        ValueError: two dimensions of one name that are not the same, or nothing to search.
    """
    if not isinstance(space, ArchSpace):
        raise TypeError(f"sweep(space=...) takes a jno.np.tune.space(), got {type(space).__name__}")
    merged = ArchSpace()
    for dimension in space:
        merged.add(dimension)
    for network in tunable(operations):
        for dimension in network.space:
            _add_shared(merged, dimension, network)
    for choice in choices_of(operations):
        _add_dimension(
            merged, ChoiceOfOptions(choice.dimension, "choice", tuple(range(len(choice.options)))), "a choice"
        )
    for model in models_of(operations):
        for control, candidates in model.tuning.candidates.items():
            _add_dimension(
                merged,
                ChoiceOfOptions(f"{model.model_key}__{control}", "model", candidates),
                f"{model.model_key}.tune()",
            )
    if merged.is_empty:
        raise ValueError(
            "there is nothing to search: the space is empty, and the problem has no choice, no tunable network and no "
            "model with tune()"
        )
    return merged


def tunable(operations: Sequence[Node]) -> list[TunableModule]:
    """The networks whose architecture is searched."""
    return [model for model in models_of(operations) if isinstance(model, TunableModule)]


def _add_shared(merged: ArchSpace, dimension: Dimension, model: Model) -> None:
    name = dimension.name
    if not merged.has(name):
        merged.add(dimension)
    elif not merged.get(name).same(dimension):
        raise ValueError(
            f"{name!r} is {merged.get(name).describe()} in the space of the sweep or of another network, and "
            f"{dimension.describe()} in that of {model.model_key}: networks that share a name share its value, so give "
            "both the same options, or other names"
        )


def _add_dimension(merged: ArchSpace, dimension: ChoiceOfOptions, owner: str) -> None:
    if merged.has(dimension.name):
        raise ValueError(
            f"{owner} needs the dimension {dimension.name!r}, which the space has already: leave it out of the space, "
            "and give every model and every choice a name of its own"
        )
    merged.add(dimension)


def check_space(merged: ArchSpace, operations: Sequence[Node], constraints: int, *, prune: bool) -> None:
    """Refuse what no trial could honour.

    Raises:
        ValueError: a name that nobody uses, dimensions that do not go together, weights of another number.
        TypeError: an option of the wrong type.
    """
    check_training(merged)
    _check_used(merged.groups.get("architecture", []), tunable(operations))
    if _trains(merged, "constraint_weights") and _trains(merged, "weight_schedule"):
        raise ValueError("the space names constraint_weights and weight_schedule: both weigh the constraints, keep one")
    for name in ("constraint_weights", "weight_schedule"):
        if _trains(merged, name):
            for option in merged.get(name).grid():
                _check_weights(name, option, constraints, prune=prune)
    if _trains(merged, "optimizer"):
        for option in merged.get("optimizer").grid():
            if not is_optimizer(option):
                raise TypeError(
                    f"optimizer={option!r} of the space: expected an optax transform such as optax.adam(1e-3) or a "
                    "factory such as optax.adam"
                )
    if _trains(merged, "learning_rate"):
        for option in merged.get("learning_rate").grid():
            if not (callable(option) or _is_positive(option)):
                raise TypeError(f"learning_rate={option!r} of the space: expected a positive number or a schedule")
    for model in models_of(operations):
        _check_rates(merged, model)
        if model.tuning.lora and model.controls.adapters is not None:
            raise ValueError(
                f"{model.model_key} has adapters of lora() or of an earlier sweep already, so tune(lora=[...]) cannot "
                "try others: start from a new model, for example over jno.lora.merge_lora(net.module)"
            )


def _trains(merged: ArchSpace, name: str) -> bool:
    return merged.has(name) and merged.get(name).category == "training"


def _check_used(names: Sequence[str], networks: Sequence[TunableModule]) -> None:
    unused = [name for name in names if not any(_takes(model, name) for model in networks)]
    if unused:
        what = ", ".join(model.model_key for model in networks) or "there is none, see jno.nn.wrap(Class, space=...)"
        raise ValueError(
            f"nothing uses {', '.join(map(repr, unused))} of the search space: no tunable network ({what}) takes it, "
            f"and options of training are {', '.join(TRAINING_NAMES)}"
        )


def _takes(model: TunableModule, name: str) -> bool:
    return model.space.has(name) or model.accepts(name)


def _check_weights(name: str, option: object, constraints: int, *, prune: bool) -> None:
    if callable(option):
        if prune:
            raise ValueError(
                f"prune=True compares losses of trials, which a schedule in {name} scales differently in each: leave "
                "one of them out (fixed weights are divided out)"
            )
        return
    entries = list(option) if isinstance(option, list | tuple) else None
    if entries is None or not all(entry == 0 or _is_positive(entry) for entry in entries):
        raise TypeError(f"{name}={option!r} of the space: expected a list of numbers from 0 on, or a schedule")
    if len(entries) != constraints:
        raise ValueError(f"{name}={option!r} of the space has {len(entries)} weights for {constraints} constraints")


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _check_rates(merged: ArchSpace, model: Model) -> None:
    """A learning rate needs an optimizer that is not built yet: it would multiply the one that is built in."""
    group, key = model.controls.default_group, model.model_key
    searched = merged.has(f"{key}__lr") or _trains(merged, "learning_rate")
    stays_frozen = model.controls.frozen and not (model.tuning.freeze or model.tuning.lora)
    if not searched or stays_frozen or (group.posterior is not None and not merged.has(f"{key}__optimizer")):
        return
    named = f"{key}__optimizer" if merged.has(f"{key}__optimizer") else "optimizer"
    optimizers = [group.optimizer] if named == "optimizer" and not _trains(merged, named) else merged.get(named).grid()
    for optimizer in optimizers:
        if optimizer is not None and not takes_rate(optimizer):
            raise ValueError(
                f"a learning rate is searched, but the optimizer {type(optimizer).__name__} of {key} has one built in "
                "or takes none: give a factory with a parameter learning_rate, such as optax.adam, or search the rate "
                "of other models only, by their tune(lr=[...])"
            )
