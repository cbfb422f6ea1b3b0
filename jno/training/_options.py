"""The options of one `solve` call, checked together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from jno.loggers import MetricLogger
from jno.utils import Callback, is_integer, require_bool, require_int

from ._point_batches import PointBatchSizes, check_point_batch


@dataclasses.dataclass(frozen=True)
class Substep:
    """Some gradient steps on some of the constraints; each substep has its optimizer states."""

    constraints: tuple[int, ...]
    steps: int = 1


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of one `solve` call; see ``core.solve``."""

    epochs: int
    batchsize: int | None
    checkpoint_gradients: bool
    offload_data: bool
    inner_steps: int
    accumulation_steps: int
    window: int | None
    profile: bool
    callbacks: tuple[Callback, ...]
    loggers: tuple[MetricLogger, ...]
    substeps: tuple[Substep, ...]
    point_batch: PointBatchSizes
    until: Any = None

    @property
    def hooked(self) -> bool:
        """Whether a callback looks at the gradients of every step."""
        return bool(self.hooking)

    @property
    def hooking(self) -> list[Callback]:
        """The callbacks that do something between gradient and update."""
        return [c for c in self.callbacks if type(c).on_before_update is not Callback.on_before_update]

    def described(self) -> dict[str, Any]:
        """The options as plain values, for loggers."""
        values = dataclasses.asdict(dataclasses.replace(self, callbacks=(), loggers=()))
        values["callbacks"] = [type(callback).__name__ for callback in self.callbacks]
        values["loggers"] = [type(logger).__name__ for logger in self.loggers]
        return values


def checked_options(
    *, samples: int, constraints: int, callbacks: Sequence[object] | None, substeps: object, **options: Any
) -> Options:
    """The options, checked together.

    Args:
        samples: number of samples of the domain.
        constraints: number of constraints of the problem.
        callbacks: as the user gave them, metric loggers included.
        substeps: as the user gave them.
        options: the other fields of `Options`.

    Raises:
        TypeError: an option of the wrong type.
        ValueError: one out of range, or two that do not go together.
    """
    for name in ("epochs", "inner_steps", "accumulation_steps"):
        require_int(options[name], name, minimum=1)
    for name in ("checkpoint_gradients", "offload_data", "profile"):
        require_bool(options[name], name)
    check_point_batch(options["point_batch"])
    parsed = tuple(_substep(entry, constraints) for entry in _entries(substeps))
    entries = [_checked_callback(entry) for entry in callbacks or ()]
    checked = Options(
        **options,
        callbacks=tuple(entry for entry in entries if isinstance(entry, Callback)),
        loggers=tuple(entry for entry in entries if isinstance(entry, MetricLogger)),
        substeps=parsed,
    )
    _check_batches(checked, samples)
    _check_together(checked)
    return checked


def _check_batches(options: Options, samples: int) -> None:
    size = options.batchsize
    if size is not None and (not is_integer(size, 1) or size > samples):
        raise ValueError(
            f"batchsize={size!r}: it counts samples of the domain (n * domain), not points, and must be an "
            f"integer from 1 to {samples}; mini-batches of points are point_batch="
        )
    if size is None and options.point_batch is None and options.accumulation_steps > 1:
        raise ValueError(
            f"accumulation_steps={options.accumulation_steps} adds up the gradients of mini-batches: give batchsize= "
            "or point_batch= as well"
        )
    if size is None and options.offload_data:
        raise ValueError("offload_data=True sends one mini-batch at a time to the device: give batchsize= as well")


def _check_together(options: Options) -> None:
    if options.epochs % options.inner_steps:
        raise ValueError(f"inner_steps={options.inner_steps} does not divide epochs={options.epochs}")
    for name, value in (("inner_steps", options.inner_steps), ("accumulation_steps", options.accumulation_steps)):
        if options.substeps and value > 1:
            raise ValueError(f"substeps= and {name}={value} are not compatible: leave one of them out")
    restoring = [type(callback).__name__ for callback in options.callbacks if callback.restores_weights]
    if len(restoring) > 1:
        raise ValueError(
            f"callbacks={', '.join(restoring)} would each restore other weights at the end; let only one do so"
        )
    if options.hooked:
        names = ", ".join(type(callback).__name__ for callback in options.hooking)
        if options.inner_steps > 1:
            raise ValueError(
                f"{names}.on_before_update() is called between gradient and update of every step, which "
                f"inner_steps={options.inner_steps} fuses on the device; use inner_steps=1"
            )
        if options.substeps:
            raise ValueError(f"{names}.on_before_update() and substeps= are not compatible: leave one of them out")


def _entries(substeps: object) -> Sequence[object]:
    if substeps is None:
        return ()
    if not isinstance(substeps, list | tuple) or not substeps:
        raise TypeError(f"substeps={substeps!r}: expected a list such as [[0, 1], ([2], 5)]")
    return substeps


def _substep(entry: object, constraints: int) -> Substep:
    indices, steps = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, 1)
    if not isinstance(indices, list) or not indices or not is_integer(steps, 1):
        raise TypeError(
            f"substep must be a list of constraint indices, or a tuple (list, number of steps); got {entry!r}"
        )
    for index in indices:
        if not is_integer(index, 0) or index >= constraints:
            raise ValueError(
                f"substep {entry!r} references constraint index {index!r}; there are {constraints} constraints, "
                f"numbered from 0 to {constraints - 1}"
            )
    if len(set(indices)) < len(indices):
        raise ValueError(f"substep {entry!r} names a constraint twice")
    return Substep(tuple(indices), steps)


def _checked_callback(callback: object) -> Callback | MetricLogger:
    if not isinstance(callback, Callback | MetricLogger):
        raise TypeError(
            "callbacks must be jno.utils.callbacks.Callback instances or metric loggers of jno.loggers, got "
            f"{type(callback).__name__}"
        )
    return callback
