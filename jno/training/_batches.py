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

    @property
    def repeated(self) -> bool:
        """Whether an update averages over several mini-batches."""
        return self.count > 1

    @property
    def full(self) -> bool:
        """Whether every update sees all samples in order."""
        return not self.names or (self.size in (None, self.samples) and not self.repeated)

    def on_device(self, data: Data, key: Key) -> Data:
        """Arrays with the rows of one update, drawn with the key; several mini-batches are a leading axis."""
        if self.full:
            return data
        row_key = jax.random.fold_in(key, _STREAM)
        if self.count * self._size <= self.samples:
            rows = jax.random.choice(row_key, self.samples, (self.count, self._size), replace=False)
        else:
            draw = lambda k: jax.random.choice(k, self.samples, (self._size,), replace=False)  # noqa: E731
            rows = jax.vmap(draw)(jax.random.split(row_key, self.count))
        return self._cut(data, jnp.sort(rows, axis=-1))

    def on_host(self, generator: np.random.Generator) -> Int[np.ndarray, "count size"]:
        """The rows of one update, ``(count, size)``, each mini-batch in increasing order."""
        if self.count * self._size <= self.samples:
            rows = generator.permutation(self.samples)[: self.count * self._size].reshape(self.count, self._size)
        else:
            rows = np.stack([generator.permutation(self.samples)[: self._size] for _ in range(self.count)])
        return np.sort(rows, axis=-1)

    def take(self, batches: Data, number: Int[Array, ""]) -> Data:
        """One of the mini-batches of an update."""
        return {name: array[number] if name in self.names else array for name, array in batches.items()}

    @property
    def _size(self) -> int:
        return self.samples if self.size is None else self.size

    def _cut(self, data: Data, rows: Int[Array, "count size"]) -> Data:
        rows = rows if self.repeated else rows[0]
        return {name: array[rows] if name in self.names else array for name, array in data.items()}


@dataclasses.dataclass(frozen=True)
class Batches:
    """The samples of one gradient step, on their devices.

    Attributes:
        mini_batches: how they are drawn.
        devices: the device mesh.
        drawn: whether the data already holds only the rows of an epoch.
    """

    mini_batches: MiniBatches
    devices: Devices
    drawn: bool

    def __call__(self, data: Data, key: Key) -> Data:
        """The rows that a random key draws."""
        batch = data if self.drawn else self.mini_batches.on_device(data, key)
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
            self._shared = self._devices.place_data(shared, ())
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
