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
    """A moment of training at which callbacks are called.

    Example:
        >>> from jno.utils.callbacks import Event, TrainingEnd
        >>> issubclass(TrainingEnd, Event), Event.of_one_epoch
        (True, False)
    """

    hook: ClassVar[str]
    """The method of `Callback` that is called."""
    of_one_epoch: ClassVar[bool] = False
    """Whether the moment belongs to one epoch, which messages name."""

    def keywords(self) -> dict[str, Any]:
        """The keywords of the hook."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolveBegin(Event):
    """Before the first step of a `solve`.

    Example:
        >>> import dataclasses
        >>> from jno.utils.callbacks import SolveBegin
        >>> SolveBegin.hook
        'on_solve_begin'
        >>> [field.name for field in dataclasses.fields(SolveBegin)][:3]
        ['compiled_constraints_fn', 'n_constraints', 'batchsize']
    """

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
    """Between the gradient and the optimizer's update of a step.

    Example:
        >>> from jno.utils.callbacks import BeforeUpdate
        >>> BeforeUpdate.hook, BeforeUpdate.of_one_epoch
        ('on_before_update', True)
    """

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
    """After an outer step.

    Example:
        >>> from jno.utils.callbacks import Callback, EpochEnd
        >>> EpochEnd.hook
        'on_epoch_end'
        >>> class Losses(Callback):
        ...     def on_epoch_end(self, *, epoch, total_loss, **others):  # keywords are the fields
        ...         print(epoch, total_loss)
    """

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
    """When training has ended, before the weights are written to the models.

    Example:
        >>> import jno
        >>> from jno.utils.callbacks import SolveEnd
        >>> sorted(SolveEnd(epoch=100, log=jno.utils.get_logger()).keywords())
        ['epoch', 'log']
    """

    hook: ClassVar[str] = "on_solve_end"

    epoch: int
    """The number of epochs that are done."""
    log: Logger


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingEnd(Event):
    """When everything is written.

    Example:
        >>> from jno.utils.callbacks import TrainingEnd
        >>> TrainingEnd().hook, TrainingEnd().keywords()
        ('on_training_end', {})
    """

    hook: ClassVar[str] = "on_training_end"
