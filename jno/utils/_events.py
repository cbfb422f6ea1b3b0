"""What training says to callbacks: one frozen class per hook, whose fields are the hook's keywords."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ._logger import Logger

Leaves = dict[int, Any]
"""Trained leaves by model id."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """A moment of training at which callbacks are called."""

    hook: ClassVar[str]
    """The method of `Callback` that is called."""
    of_one_epoch: ClassVar[bool] = False
    """Whether the moment belongs to one epoch, which messages name."""

    def keywords(self) -> dict[str, Any]:
        """The keywords of the hook."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolveBegin(Event):
    """Before the first step of a `solve`."""

    hook: ClassVar[str] = "on_solve_begin"

    compiled_constraints_fn: Any
    """The constraints, compiled: ``(modules, data, key) -> values``."""
    n_constraints: int
    batchsize: int | None
    frozen: Leaves
    """Modules by model id, without the trained leaves."""
    static: Leaves
    """The parts of them that are not arrays."""
    trainable: Leaves
    context: Mapping[str, Any]
    """The arrays of the domain by tag."""
    rng: Any
    """The random key of the next step."""
    epoch: int
    """The number of epochs that earlier calls have done."""
    min_consecutive: int | None
    constraint_exprs: Sequence[Any]
    """The constraints as the user wrote them."""
    constraint_names: Sequence[str]
    tracker_names: Sequence[str]
    all_ops: Sequence[Any]
    """The constraints and trackers as the user wrote them."""
    domain: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeforeUpdate(Event):
    """Between the gradient and the optimizer's update of a step."""

    hook: ClassVar[str] = "on_before_update"
    of_one_epoch: ClassVar[bool] = True

    grads: Leaves
    value_fn: Callable[[Leaves], Any]
    """The loss of this step as a function of leaves like ``trainable``."""
    trainable: Leaves
    context: Mapping[str, Any]
    rng: Any
    epoch: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochEnd(Event):
    """After an outer step."""

    hook: ClassVar[str] = "on_epoch_end"
    of_one_epoch: ClassVar[bool] = True

    context: Mapping[str, Any]
    log: Logger
    epoch: int
    trainable: Leaves
    """Trained leaves after the update."""
    opt_states: list[list[Any]]
    """States of the optimizers after the update, by phase and group."""
    rng: Any
    total_loss: float
    """The mean of the losses before the update."""
    individual_losses: np.ndarray
    """The losses before the update, ``(C,)``."""
    tracked: Mapping[str, Any]
    """Values, by label, of trackers that were evaluated since the last outer step."""
    measured: Callable[..., Any]
    """Gives the state of training that the losses belong to, or with the label of a tracker that of its value."""
    snapshot: Callable[..., tuple[dict[str, Any], dict[str, Any]]]
    """Gives what a later run needs to go on from now, or from a state of ``measured``: arrays and other facts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolveEnd(Event):
    """When training has ended, before the weights are written to the models."""

    hook: ClassVar[str] = "on_solve_end"

    epoch: int
    """The number of epochs that are done."""
    log: Logger


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingEnd(Event):
    """When everything is written."""

    hook: ClassVar[str] = "on_training_end"
