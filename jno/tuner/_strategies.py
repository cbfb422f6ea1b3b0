"""What is tried next: an exhaustive grid, or an optimizer of Nevergrad."""

from __future__ import annotations

import abc
import difflib
import inspect
from collections.abc import Callable
from typing import Any, final

import numpy as np

from jno.architectures import ArchSpace, nevergrad
from jno.utils import is_integer

_UNKNOWN_LOSS = 1e12
"""Told for failed trials as long as none has succeeded."""


class Strategy(abc.ABC):
    """Proposes configurations and learns from what came of them.

    ``total`` is the number of configurations it proposes.
    """

    total: int

    @abc.abstractmethod
    def ask(self) -> dict[str, Any] | None:
        """The next configuration, ``None`` when there is none."""

    @abc.abstractmethod
    def tell(self, values: dict[str, Any], objective: float | None) -> None:
        """The objective of a configuration, the very object that `ask` gave; ``None`` when its trial failed."""


@final
class Grid(Strategy):
    """All configurations of the space, the last dimension changing fastest."""

    def __init__(self, space: ArchSpace) -> None:
        self._remaining = iter(space.grid())
        self.total = space.grid_size

    def ask(self) -> dict[str, Any] | None:
        """The next cell."""
        return next(self._remaining, None)

    def tell(self, values: dict[str, Any], objective: float | None) -> None:
        """Nothing is learnt: the grid is fixed."""


@final
class Nevergrad(Strategy):
    """An optimizer of Nevergrad, seeded: the same objectives give the same configurations.

    Args:
        space: what is searched.
        optimizer: a class of ``nevergrad.optimizers``, or a configured optimizer.
        budget: number of configurations.
        seed: of its random numbers.
    """

    def __init__(self, space: ArchSpace, optimizer: Callable[..., Any], budget: int, seed: int) -> None:
        self.total = budget
        self._space = space
        self._proposed = 0
        self._pending: dict[int, tuple[dict[str, Any], Any]] = {}
        self._worst: float | None = None
        parametrization = space.parametrization
        parametrization.random_state = np.random.RandomState(seed)
        self._optimizer = optimizer(parametrization=parametrization, budget=budget, num_workers=1)

    def ask(self) -> dict[str, Any] | None:
        """What the optimizer proposes."""
        if self._proposed == self.total:
            return None
        self._proposed += 1
        candidate = self._optimizer.ask()
        values = self._space.decode(candidate.value)
        self._pending[id(values)] = (values, candidate)
        return values

    def tell(self, values: dict[str, Any], objective: float | None) -> None:
        """A failed trial counts as worse than the worst so far: the optimizer needs a finite number."""
        _, candidate = self._pending.pop(id(values))
        if objective is not None:
            self._worst = objective if self._worst is None else max(self._worst, objective)
            self._optimizer.tell(candidate, objective)
        else:
            worst = _UNKNOWN_LOSS if self._worst is None else self._worst + abs(self._worst) + 1.0
            self._optimizer.tell(candidate, worst)


def strategy_of(space: ArchSpace, optimizer: object, budget: object, seed: int) -> Strategy:
    """The strategy that ``core.sweep(optimizer=, budget=)`` means.

    Args:
        space: what is searched.
        optimizer: ``None`` (all of the grid), name of an optimizer of Nevergrad, class or configured optimizer.
        budget: number of configurations; a grid does not need it.
        seed: of the random numbers.

    Raises:
        ValueError: an unknown name, or a budget below one.
        TypeError: an optimizer of another kind.
        ImportError: Nevergrad is not installed (``jno-jax[tune]``).
    """
    if optimizer is None and budget is None:
        return Grid(space)
    if not is_integer(budget, 1):
        raise ValueError(f"budget={budget!r}: it is the number of configurations to try, an integer of at least 1")
    return Grid(space) if optimizer is None else Nevergrad(space, _optimizer_of(optimizer), budget, seed)


def _optimizer_of(optimizer: object) -> Callable[..., Any]:
    library = nevergrad().optimizers
    registry = dict(library.registry)
    base = library.base
    if isinstance(optimizer, str):
        if optimizer in registry:
            return registry[optimizer]
        close = difflib.get_close_matches(optimizer, registry, n=5, cutoff=0.5)
        hint = f"; close names: {', '.join(close)}" if close else ""
        raise ValueError(
            f"Unknown Nevergrad optimizer {optimizer!r}{hint}. nevergrad.optimizers.registry has all names; "
            "optimizer=None tries the whole grid"
        )
    if isinstance(optimizer, base.ConfiguredOptimizer):
        return optimizer
    if inspect.isclass(optimizer) and issubclass(optimizer, base.Optimizer):
        return optimizer
    raise TypeError(
        f"optimizer={optimizer!r}: expected None, a name such as 'NGOpt', a class of nevergrad.optimizers or a "
        "configured optimizer"
    )
