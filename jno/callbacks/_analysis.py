"""What callbacks that measure have in common."""

from __future__ import annotations

import abc
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import jax
import numpy as np

from jno.compiler import Program
from jno.trace import Node, flatten, unflatten
from jno.utils import (
    MASK,
    PATH,
    Callback,
    checked,
    get_logger,
    get_runs_base_dir,
    instance,
    require_int,
    save_figure,
    sequence,
    user_path,
)

from ._figures import Figure
from ._training_problem import Key, Leaves, TrainingProblem, problem_of

Tool = TypeVar("Tool")
"""What a callback compiles once per program."""

Fields: TypeAlias = dict[str, Any]
"""What was measured: arrays and numbers by the names in `Analysis.fields`."""

_DPI = 150


CONSTRAINTS = sequence(instance("", Node), "a list of constraints, expressions", least=1)


class Analysis(Callback, abc.ABC, Generic[Tool]):
    """A callback that measures every ``interval`` epochs, after the update of that epoch.

    It fires at epochs ``0, interval, 2 interval, …``. With ``solve(inner_steps=k)`` callbacks are called at every
    ``k``-th epoch only: then it fires at the first call after such an epoch, and records the epoch of the call.
    Epochs go on over `solve` calls, and so does the history. With another problem a new history begins, and
    where arrays change their shape (of another time window, with other parameters frozen).

    Everything is measured on all samples and points, with the random key that comes next (noise, dropout, the start
    of a time window shorter than the time axis), in memory besides that of training. Functions are compiled once per
    problem. `jno.save` keeps the history.

    Attributes:
        interval: epochs between two measurements.

    Example:
        >>> import jno
        >>> norms = jno.callbacks.gradient_norms(interval=100)
        >>> isinstance(norms, jno.callbacks.Analysis)
        True
        >>> norms.value is None  # nothing is measured before crux.solve(1000, callbacks=[norms])
        True
        >>> {name: entry.shape for name, entry in norms.result.items()}
        {'epochs': (0,), 'norms': (0,)}
    """

    fields: ClassVar[tuple[str, ...]]
    """What is measured, in `result`."""

    def __init__(self, interval: int, mask: object = None, expressions: Sequence[Node] = ()) -> None:
        self.interval = require_int(interval, f"{type(self).__name__}(interval)", minimum=1)
        MASK.require(mask, f"{type(self).__name__}(mask)", optional=True)
        self._mask = mask
        self._expressions = tuple(expressions)
        self._last_call = -1  # the newest epoch that was looked at
        self._epochs: list[int] = []
        self._records: list[dict[str, np.ndarray]] = []
        self._names: tuple[str, ...] = ()
        self._constraints: tuple[Node, ...] = ()
        self._tools: dict[Program, Tool] = {}
        self._problem: TrainingProblem | None = None

    # --- what a subclass says ----------------------------------------------------------------------------------
    @abc.abstractmethod
    def _tool(self, problem: TrainingProblem) -> Tool:
        """What is compiled once for a program."""

    @abc.abstractmethod
    def _measure(self, tool: Tool, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        """The fields."""

    @abc.abstractmethod
    def _draw(self, figure: Figure) -> None:
        """Fill a matplotlib figure from what was measured."""

    # --- results ----------------------------------------------------------------------------------------------
    @property
    def value(self) -> dict[str, Any] | None:
        """What was measured last: every field of `result`, a number or an array; None before."""
        return {name: _plain(entry) for name, entry in self._records[-1].items()} if self._records else None

    @property
    def latest_epoch(self) -> int | None:
        """The epoch of `value`; None before."""
        return self._epochs[-1] if self._epochs else None

    @property
    def result(self) -> dict[str, np.ndarray]:
        """The history: ``epochs`` (S,) and every field, stacked along a first axis of length ``S``."""
        history = {name: np.array([record[name] for record in self._records]) for name in self.fields}
        return {"epochs": np.array(self._epochs, dtype=int), **history}

    @checked(path=PATH)
    def plot(self, path: str | os.PathLike[str] | None = None) -> Analysis[Tool]:
        """Save a figure of what was measured.

        Args:
            path: the image file, in a format matplotlib knows by its extension; missing directories are created.
                Default None: the name of the callback with ``.png``, in the run directory (see `jno.setup`), else in
                `jno.get_runs_base_dir()`; the logger tells where.

        Returns:
            self, for chaining.

        Warns:
            UserWarning: nothing has been measured; no file is written.
        """
        name = type(self).__name__
        if not self._records:
            warnings.warn(f"{name} has measured nothing: nothing to plot. Give it to core.solve first.", stacklevel=2)
            return self
        import matplotlib.figure

        folder = get_logger().path or Path(get_runs_base_dir())
        target = folder / f"{name}.png" if path is None else user_path(path)
        figure = matplotlib.figure.Figure(layout="constrained")
        self._draw(figure)
        save_figure(figure, target, _DPI)
        if path is None:
            get_logger().info(f"{name} plotted to {target}")
        return self

    # --- hooks ------------------------------------------------------------------------------------------------
    def on_solve_begin(self, **kw: Any) -> None:
        """Take the problem, and compile nothing yet."""
        problem = problem_of(self._mask, kw)
        if self._is_another(problem):
            self._epochs, self._records = [], []
        self._last_call = kw["epoch"] - 1
        self._problem, self._constraints, self._names = problem, problem.constraints, problem.names
        if problem.program not in self._tools:
            self._tools[problem.program] = self._tool(problem)

    def on_epoch_end(self, **kw: Any) -> None:
        """Measure if it is time."""
        assert self._problem is not None  # training announces itself first
        epoch = kw["epoch"]
        due = epoch - epoch % self.interval > self._last_call
        self._last_call = epoch
        if due:
            tool = self._tools[self._problem.program]
            values = jax.device_get(self._measure(tool, self._problem, kw["trainable"], kw["rng"]))
            self._record(epoch, {name: np.asarray(values[name]) for name in self.fields})

    def _record(self, epoch: int, record: dict[str, np.ndarray]) -> None:
        if self._records and any(record[name].shape != self._records[-1][name].shape for name in self.fields):
            self._epochs, self._records = [], []
        self._epochs.append(epoch)
        self._records.append(record)

    def _is_another(self, problem: TrainingProblem) -> bool:
        pairs = zip(self._constraints, problem.constraints, strict=False)  # a callback from a file has none
        return self._names != problem.names or any(earlier is not new for earlier, new in pairs)

    # --- files ------------------------------------------------------------------------------------------------
    def __getstate__(self) -> dict[str, Any]:
        expressions = flatten(self._expressions)
        return {**self.__dict__, "_expressions": expressions, "_constraints": (), "_tools": {}, "_problem": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "_expressions": tuple(unflatten(*state["_expressions"]))})


def _plain(entry: np.ndarray) -> Any:
    return entry if entry.ndim else entry.item()
