"""Points that the compiled step draws anew by itself: they follow from the seed and the number of the epoch alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jno.compiler import Program
from jno.domain import DeviceDraw, SampleRecord
from jno.sampler import ResamplingStrategy

from ._region_draws import DrawnRows, HostRows, NotOnDeviceError, RegionDraws
from ._types import Data, Key

_TABLES = "tables of fresh points"
"""Kind of the entries of the data that no program reads."""


@dataclasses.dataclass(frozen=True, eq=False)
class FreshTag:
    """A tag all of whose points are replaced by random ones at once.

    Attributes:
        name: key of the points in the context.
        number: of the tag, which its random numbers depend on.
        begins: first epoch with new points.
        every: epochs between two replacements.
        region: where they are drawn from.
        normal_sign: the factor from outward normals to those of the context.
    """

    name: str
    number: int
    begins: int
    every: int
    region: RegionDraws
    normal_sign: float

    @classmethod
    def of(cls, number: int, record: SampleRecord, program: Program, domain: Any) -> FreshTag:
        """The tag of a point set.

        Raises:
            NotOnDeviceError: its strategy or its region needs the host.
        """
        strategy, count = record.resampling_strategy, program.sources["points", record.tag].shape[2]
        assert strategy is not None
        if not strategy.redraws_all(count):
            raise NotOnDeviceError(f"{_described(strategy)} chooses them on the host")
        region = RegionDraws.of(record, program, domain, count)
        assert strategy.begins is not None
        return cls(record.tag, number, strategy.begins, strategy.resample_every, region, record.normal_sign)

    def event(self, epoch: int) -> int | None:
        """Number of the newest replacement at an epoch; `None` before the first."""
        return None if epoch < self.begins else (epoch - self.begins) // self.every

    def next_after(self, epoch: int) -> int:
        """Epochs from `epoch` to the next replacement strictly later."""
        since = epoch - self.begins
        return -since if since < 0 else self.every - since % self.every

    def drawn(self, draws: Sequence[DeviceDraw], epoch: Int[Array, ""], key: Key) -> DrawnRows:
        """The points that belong to an epoch."""
        event = (epoch - self.begins) // self.every
        return self.region.rows(draws, jax.random.fold_in(jax.random.fold_in(key, self.number), event))


class FreshPoints:
    """The tags whose points the compiled step draws, a pure function of epoch and data.

    Args:
        tags: them.
        key: of all new points.
        place: puts the tables of their regions on the devices.
    """

    def __init__(self, tags: Sequence[FreshTag], key: Key, place: Callable[[Data], Data]) -> None:
        self.tags = tuple(tags)
        self._key = key
        leaves, self._structure = jax.tree_util.tree_flatten([tag.region.draws for tag in self.tags])
        # mapped over, dictionaries come back sorted by name
        names = [(_TABLES, f"{number:06d}") for number in range(len(leaves))]
        arrays = {name: jnp.asarray(leaf) for name, leaf in zip(names, leaves, strict=True)}
        self.tables = place(arrays)
        """The tables of the regions as entries of the data: arguments of compiled code, not constants in it."""

    def __call__(self, epoch: Int[Array, ""], data: Data) -> Data:
        """The data with the points and normals of an epoch, without tables; inside compiled code."""
        if not self.tags:
            return data
        fresh = {name: array for name, array in data.items() if name[0] != _TABLES}
        for tag, (points, normals) in zip(self.tags, self._rows(epoch, data), strict=True):
            name, normal_name = ("points", tag.name), ("points", f"n_{tag.name}")
            due = epoch >= tag.begins
            fresh[name] = jnp.where(due, points[:, None], fresh[name])
            if normals is not None and normal_name in fresh:
                fresh[normal_name] = jnp.where(due, tag.normal_sign * normals[:, None], fresh[normal_name])
        return fresh

    @property
    def by_sample(self) -> bool:
        """Whether samples have points of their own."""
        return any(len(tag.region.of_row) > 1 for tag in self.tags)

    def events(self, epoch: int) -> tuple[int | None, ...]:
        """The numbers of the newest replacements of all tags: equal ones mean equal points."""
        return tuple(tag.event(epoch) for tag in self.tags)

    def next_after(self, epoch: int) -> int | None:
        """Epochs from `epoch` to the next replacement strictly later; `None` without tags."""
        return min((tag.next_after(epoch) for tag in self.tags), default=None)

    def of_epoch(self, epoch: int) -> dict[str, HostRows]:
        """The points of the tags that have new ones at an epoch, as the compiled step draws them."""
        if all(event is None for event in self.events(epoch)):
            return {}
        rows: list[HostRows] = jax.device_get(self._compiled(jnp.int32(epoch), self.tables))
        due = zip(self.tags, rows, strict=True)
        return {tag.name: drawn for tag, drawn in due if epoch >= tag.begins}

    @functools.cached_property
    def _compiled(self) -> Callable[[Int[Array, ""], Data], list[DrawnRows]]:
        return jax.jit(self._rows)

    def _rows(self, epoch: Int[Array, ""], data: Data) -> list[DrawnRows]:
        draws = jax.tree_util.tree_unflatten(self._structure, [data[name] for name in self.tables])
        return [tag.drawn(of_tag, epoch, self._key) for tag, of_tag in zip(self.tags, draws, strict=True)]


NO_FRESH_POINTS = FreshPoints((), np.zeros(2, np.uint32), dict)
"""Of steps that draw no points."""


def _described(strategy: ResamplingStrategy) -> str:
    """A strategy with the share that makes the difference."""
    return f"{type(strategy).__name__}(resample_fraction={strategy.resample_fraction:g})"
