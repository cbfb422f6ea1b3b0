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

from ._devices import Devices
from ._fresh_points import NO_FRESH_POINTS, FreshPoints
from ._resampling import Resampling
from ._types import Data, Entries, Key, Modules

_STREAM = 0x5A3B
"""Random stream of new points, apart from that of training: resampling does not change what else is drawn."""


class Points:
    """Replaces the points in all programs of a core when a strategy is due.

    Args:
        resampling: the tags with a strategy.
        seed: of the new points; with the epoch it decides all of them, so a resumed run draws the same.
        devices: where the tables of regions lie.

    Attributes:
        fresh: the tags whose points the compiled step draws.
        drawn_inside: whether it does so in this call; otherwise they are replaced between steps by the same ones.
        version: how often points were replaced.
    """

    def __init__(self, resampling: Resampling, seed: int, devices: Devices) -> None:
        self._resampling = resampling
        self._seed = seed
        tags = resampling.fresh_tags
        place = functools.partial(devices.place_data, batched=())
        self.fresh = FreshPoints(tags, self._key, place) if tags else NO_FRESH_POINTS
        self.drawn_inside, self.version = True, 0
        self._settled: tuple[int | None, ...] = ()
        self._states = resampling.init()
        self._entries: dict[tuple[str, str], Array | np.ndarray] = {}
        self._programs: list[Program] = []
        self._warned: set[str] = set()

    @property
    def replaced(self) -> bool:
        """Whether any points are replaced."""
        return not self._resampling.is_empty

    def described(self) -> list[str]:
        """One line about every tag with a strategy: where its new points come from."""
        return self._resampling.described()

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
        """Epochs from ``epoch`` to the next replacement between steps that is strictly later."""
        after = (self._resampling.next_after(epoch), None if self.drawn_inside else self.fresh.next_after(epoch))
        return min((epochs for epochs in after if epochs is not None), default=None)

    def with_tables(self, data: Data) -> Data:
        """Data with what the compiled step draws points from."""
        return {**data, **self.fresh.tables} if self.drawn_inside else data

    def settle(self, epoch: int) -> None:
        """Put the points of an epoch that the compiled step draws by itself into the domain and all programs."""
        events = self.fresh.events(epoch)
        if events != self._settled:
            self._settled = events
            self._put(self._resampling.put(self.fresh.of_epoch(epoch)))

    def renew(self, epoch: int, modules_of: Callable[[], Modules]) -> None:
        """Replace the points that are due right before ``epoch``."""
        due = self._resampling.due(epoch)
        if due or not self.drawn_inside:
            self.settle(epoch)
        if due:
            entries, self._states = self._resampling.resample(epoch, modules_of(), self._states, self._key)
            self._put(entries)

    def snapshot(self) -> dict[str, Any]:
        """Points and states of the strategies as arrays by name; empty while nothing was replaced."""
        drawn = {tag.name for tag in self.fresh.tags}  # these follow from the epoch
        replaced = {entry: array for entry, array in self._entries.items() if entry[1].removeprefix("n_") not in drawn}
        points = {f"{kind}:{tag}": array for (kind, tag), array in replaced.items()}
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
        self.version += bool(entries)
        for program in self._programs:
            program.replace(entries)


def _entry(name: str) -> tuple[str, str]:
    """The entry of a program's data from its name in a snapshot."""
    kind, _, tag = name.partition(":")
    return kind, tag
