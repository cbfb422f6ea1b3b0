"""The points of a run, which resampling strategies replace between epochs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from jno.compiler import Program
from jno.utils import get_logger

from ._resampling import Resampling
from ._types import Entries, Key, Modules

_STREAM = 0x5A3B
"""Random stream of new points, apart from that of training: resampling does not change what else is drawn."""


class Points:
    """Replaces the points in all programs of a core when a strategy is due.

    Args:
        resampling: the tags with a strategy.
        seed: of the new points; with the epoch it decides all of them, so a resumed run draws the same.
    """

    def __init__(self, resampling: Resampling, seed: int) -> None:
        self._resampling = resampling
        self._seed = seed
        self._states = resampling.init()
        self._entries: dict[tuple[str, str], Array | np.ndarray] = {}
        self._programs: list[Program] = []
        self._warned: set[str] = set()
        self.version = 0
        """How often points were replaced."""

    @functools.cached_property
    def _key(self) -> Key:
        """Made when it is first needed, since that compiles programs."""
        return jax.random.fold_in(jax.random.PRNGKey(self._seed), _STREAM)

    def keep_current(self, programs: Sequence[Program]) -> None:
        """Put the present points into these programs, and all later ones."""
        for program in programs:
            if not any(program is current for current in self._programs):
                self._programs.append(program)
                program.replace(self._entries)

    def warn_if_idle(self, stop: int) -> None:
        """Say of every strategy, once, that it has not begun when the epochs before ``stop`` are done."""
        for tag, reason in self._resampling.idle(stop).items():
            if tag not in self._warned:
                self._warned.add(tag)
                get_logger().warning(reason)

    def next_after(self, epoch: int) -> int | None:
        """Epochs from ``epoch`` to the next replacement strictly later."""
        return self._resampling.next_after(epoch)

    def renew(self, epoch: int, modules_of: Callable[[], Modules]) -> None:
        """Replace the points that are due right before ``epoch``."""
        if self._resampling.due(epoch):
            entries, self._states = self._resampling.resample(epoch, modules_of(), self._states, self._key)
            self._put(entries)

    def snapshot(self) -> dict[str, Any]:
        """Points and states of the strategies as arrays by name; empty while nothing was replaced."""
        points = {f"{kind}:{tag}": array for (kind, tag), array in self._entries.items()}
        states = {str(n): np.asarray(leaf) for n, leaf in enumerate(jax.tree_util.tree_leaves(self._states))}
        return {**points, **{f"state:{name}": leaf for name, leaf in states.items()}} if points else {}

    def resume(self, arrays: dict[str, Any]) -> None:
        """Take over a snapshot.

        Raises:
            ValueError: one of other tags or strategies.
        """
        leaves, structure = jax.tree_util.tree_flatten(self._states)
        states = {name: leaf for name, leaf in arrays.items() if name.startswith("state:")}
        points = {name: array for name, array in arrays.items() if name not in states}
        if points and len(states) != len(leaves):
            raise ValueError("the checkpoint was written with other resampling strategies")
        if points:
            values = [states[f"state:{number}"] for number in range(len(leaves))]
            self._states = jax.tree_util.tree_unflatten(structure, values)
            entries: Entries = {_entry(name): array for name, array in points.items()}
            self._resampling.restore(entries)
            self._put(entries)

    def _put(self, entries: Entries) -> None:
        self._entries |= entries
        self.version += 1
        for program in self._programs:
            program.replace(entries)


def _entry(name: str) -> tuple[str, str]:
    """The entry of a program's data from its name in a snapshot."""
    kind, _, tag = name.partition(":")
    return kind, tag
