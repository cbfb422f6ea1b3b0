"""Mini-batches: how they are drawn on the device, and how they come from the host."""

from __future__ import annotations

import abc
import dataclasses
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jno.compiler import Program

from ._devices import Devices
from ._point_batches import PointBatch
from ._shuffles import Shuffle
from ._types import Data, Key

_STREAM = 0xBA7C
"""Random stream of the rows, apart from those of the time window, noise and dropout."""


@dataclasses.dataclass(frozen=True)
class MiniBatches:
    """``count`` mini-batches of ``size`` samples for one update; ``size=None`` takes all samples in order.

    The mini-batches of one update are disjoint if ``count * size <= samples``.
    """

    names: tuple[tuple[str, str], ...]
    """The arrays with one row per sample."""
    samples: int
    size: int | None = None
    count: int = 1
    points: tuple[PointBatch, ...] = ()
    """The points that every mini-batch sees; of tags that are not here all."""

    @property
    def repeated(self) -> bool:
        """Whether an update averages over several mini-batches."""
        return self.count > 1

    @property
    def full(self) -> bool:
        """Whether every update sees all samples and points in order."""
        return not self.points and not self._draws_samples

    @property
    def point_counts(self) -> dict[str, int]:
        """Number of points of a mini-batch by tag, of those that are drawn from."""
        return {tag: batch.passes.size for batch in self.points for tag in batch.tags}

    def on_device(self, data: Data, key: Key, step: int | Int[Array, ""], *, drawn: bool = False) -> Data:
        """Arrays with the rows of one update; several mini-batches are a leading axis.

        Args:
            data: all arrays of a program.
            key: draws the samples.
            step: number of the update, which decides the points.
            drawn: whether the data holds the samples of the update already.
        """
        rows = None if drawn or not self._draws_samples else self._rows(key)
        cut = {name: data[name] for name in self._cut_names(samples=rows is not None) if name in data}
        if not cut:
            return data
        if not self.repeated:
            selected = self._selected(cut, None if rows is None else rows[0], jnp.asarray(step))
        else:
            stacked = {name: 0 if drawn and name in self.names else None for name in cut}
            in_axes = (stacked, None if rows is None else 0, 0)
            numbers = jnp.asarray(step) * self.count + jnp.arange(self.count)
            selected = jax.vmap(self._selected, in_axes)(cut, rows, numbers)
        return {**data, **selected}

    def on_host(self, generator: np.random.Generator) -> Int[np.ndarray, "count size"]:
        """The rows of one update, ``(count, size)``, each mini-batch in increasing order."""
        # `choice` without replacement costs as much as is drawn, unless nearly all is
        if self.count * self._size <= self.samples:
            rows = generator.choice(self.samples, (self.count, self._size), replace=False)
        else:
            rows = np.stack([generator.choice(self.samples, self._size, replace=False) for _ in range(self.count)])
        return np.sort(rows, axis=-1)

    def take(self, batches: Data, number: Int[Array, ""]) -> Data:
        """One of the mini-batches of an update."""
        names = self._cut_names(samples=self._draws_samples)
        return {name: array[number] if name in names else array for name, array in batches.items()}

    @property
    def _size(self) -> int:
        return self.samples if self.size is None else self.size

    @property
    def _draws_samples(self) -> bool:
        return bool(self.names) and (self.size not in (None, self.samples) or self.repeated)

    def _cut_names(self, *, samples: bool) -> set[tuple[str, str]]:
        """The arrays of which an update sees some rows."""
        names = {array.name for batch in self.points for array in batch.arrays}
        return names | set(self.names) if samples else names

    def _rows(self, key: Key) -> Int[Array, "count size"]:
        """Samples of every mini-batch, in increasing order."""
        row_key = jax.random.fold_in(key, _STREAM)
        if self.count * self._size <= self.samples:
            places = jnp.arange(self.count * self._size).reshape(self.count, self._size)
            rows = Shuffle.of([row_key], self.samples)(places)
        else:
            draw = lambda k: Shuffle.of([k], self.samples)(jnp.arange(self._size))  # noqa: E731
            rows = jax.vmap(draw)(jax.random.split(row_key, self.count))
        return jnp.sort(rows, axis=-1)

    def _selected(self, data: Data, rows: Int[Array, " size"] | None, number: Int[Array, ""]) -> Data:
        """The rows of one mini-batch, read at once: no array in between has all samples, or all points."""
        points = {array.name: (array.axis, batch.passes(number)) for batch in self.points for array in batch.arrays}
        selected: Data = {}
        for name, array in data.items():
            indices: list[Array] = [jnp.arange(length) for length in array.shape]
            last = 0
            if rows is not None and name in self.names:
                indices[0] = rows
            if name in points:
                last, places = points[name]
                indices[last] = places
            selected[name] = array.at[jnp.ix_(*indices[: last + 1])].get(mode="promise_in_bounds")
        return selected


@dataclasses.dataclass(frozen=True)
class Batches:
    """The samples and points of one gradient step, on their devices.

    Attributes:
        mini_batches: how they are drawn.
        devices: the device mesh.
        drawn: whether the data already holds only the samples of an epoch.
    """

    mini_batches: MiniBatches
    devices: Devices
    drawn: bool

    def __call__(self, data: Data, key: Key, step: int | Int[Array, ""]) -> Data:
        """The samples that a random key draws, at the points of a step."""
        batch = self.mini_batches.on_device(data, key, step, drawn=self.drawn)
        return self.devices.spread(batch, self.mini_batches.names, micro_batches=self.mini_batches.repeated)


class Feed(abc.ABC):
    """Where the epochs of a run get their data from."""

    epochs: ClassVar[int | None]
    """Most epochs that may see the same data; ``None``: any number."""

    @abc.abstractmethod
    def data(self, epoch: int) -> Data:
        """The arrays of an epoch."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is being prepared."""


class DeviceFeed(Feed):
    """All data, which stays on the device."""

    epochs = None

    def __init__(self, program: Program, devices: Devices) -> None:
        self._program = program
        self._devices = devices
        self._placed: Data = {}
        self._seen: Any = None

    def data(self, epoch: int) -> Data:
        """The same arrays in every step, until the program's own are replaced."""
        if self._seen is not self._program.data:
            self._seen = self._program.data
            self._placed = self._devices.place_data(self._seen, self._program.layout.batched)
        return self._placed

    def close(self) -> None:
        """Nothing is being prepared."""


class HostFeed(Feed):
    """One update's mini-batches at a time; the next ones are read while the device works.

    The rows of an epoch follow from the seed and the epoch alone, so a resumed run sees the same.
    """

    epochs = 1

    def __init__(self, program: Program, mini_batches: MiniBatches, devices: Devices, seed: int) -> None:
        self._program = program
        self._mini_batches = mini_batches
        self._devices = devices
        self._seed = seed
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jno-data")
        self._seen: Any = None
        self._shared: Data = {}
        self._next: tuple[int, Future[Data]] | None = None

    def data(self, epoch: int) -> Data:
        """The mini-batches of an epoch, already drawn."""
        if self._seen is not self._program.sources:
            self._seen = self._program.sources
            self._next = None  # what was read ahead has points that have been replaced
            shared = {name: jnp.asarray(s[:]) for name, s in self._seen.items() if name not in self._mini_batches.names}
            once = self._program.precomputed.refreshed(shared, shared)
            self._shared = self._devices.place_data({**shared, **once}, ())
        ready = self._next
        batches = ready[1].result() if ready is not None and ready[0] == epoch else self._read(epoch)
        self._next = (epoch + 1, self._reader.submit(self._read, epoch + 1))
        return {**self._shared, **batches}

    def close(self) -> None:
        """Wait for what is being read."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _read(self, epoch: int) -> Data:
        rows = self._mini_batches.on_host(np.random.default_rng([self._seed, _STREAM, epoch]))
        batches = self._program.rows(rows.ravel())
        if self._mini_batches.repeated:
            batches = {name: array.reshape(*rows.shape, *array.shape[1:]) for name, array in batches.items()}
        return self._devices.place_data(batches, tuple(batches), micro_batches=self._mini_batches.repeated)
