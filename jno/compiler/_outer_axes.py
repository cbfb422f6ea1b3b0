"""The axes in front of those of one sample and level: dropped where they have one entry, cut, and mapped over."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Shaped

from ._data import Entry, Layout
from ._types import AnyArray, Arrays, Key, Name

_WINDOW_STREAM = 0x7E57
"""Random stream of the window start, apart from those of noise (0, 1, …) and dropout (model ids)."""


@dataclasses.dataclass(frozen=True)
class OuterAxes:
    """Which outer axes an array carries before those of one sample and level: samples, then levels."""

    samples: bool
    levels: bool


@dataclasses.dataclass(frozen=True)
class Rows:
    """Arrays, and the outer axes that each one carries; an axis of one entry is dropped."""

    arrays: Mapping[Name, AnyArray]
    axes: Mapping[Name, OuterAxes]

    def __or__(self, rows: Rows) -> Rows:
        return Rows({**self.arrays, **rows.arrays}, {**self.axes, **rows.axes})


AtLevel = Callable[[Arrays, Key | None, Rows | None], Sequence[Array]]
"""Values at one level of one sample, from its arrays, its key, and the arrays of all levels of the window."""


@dataclasses.dataclass(frozen=True)
class OuterMap:
    """How an evaluation is mapped over samples, and over the levels of a time window.

    Axes of one entry are not mapped over: matrix products of rank three are two to three times slower on a CPU than
    those of rank two.

    Attributes:
        layout: of the arrays.
        samples: number of samples of this evaluation.
        window: number of levels.
        parameters_only: for every expression, whether it depends on no array, and so has no outer axes.
    """

    layout: Layout
    samples: int
    window: int
    parameters_only: Sequence[bool]

    # --- cutting ----------------------------------------------------------------------------------------------
    def cut(self, data: Arrays, keys: Shaped[Array, "B ..."] | None) -> Rows:
        """Drop axes of one entry, and cut the window out of the levels; with keys it starts anywhere."""
        starts = self._window_starts(keys)
        arrays: dict[Name, AnyArray] = {}
        axes: dict[Name, OuterAxes] = {}
        for name, array in data.items():
            entry = self.layout.entries[name]
            batched = entry.batched and self.samples > 1
            row = array[0] if entry.has_batch_axis and not batched else array
            if (entry.levels or 1) == 1:
                arrays[name] = _without_level(row, entry, batched)
                axes[name] = OuterAxes(batched, False)
            else:
                per_sample = batched or (starts is not None and self.samples > 1)
                arrays[name] = self._window_of(row, entry, starts, batched)
                axes[name] = OuterAxes(per_sample, self.window > 1)
        return Rows(arrays, axes)

    def _window_starts(self, keys: Shaped[Array, "B ..."] | None) -> Int[Array, " B"] | None:
        """The random first level of every sample; None: level zero."""
        if keys is None or self.window == self.layout.levels:
            return None
        latest = self.layout.levels - self.window + 1
        return jax.vmap(lambda key: jax.random.randint(jax.random.fold_in(key, _WINDOW_STREAM), (), 0, latest))(keys)

    def _window_of(self, row: AnyArray, entry: Entry, starts: Int[Array, " B"] | None, batched: bool) -> AnyArray:
        levels = functools.partial(_levels_from, count=self.window, is_time=entry.kind == "times")
        if starts is not None and self.samples > 1:
            return jax.vmap(levels, in_axes=(0 if batched else None, 0))(row, starts)
        if batched:
            return jax.vmap(levels, in_axes=(0, None))(row, 0)
        return levels(row, 0 if starts is None else starts[0])

    # --- mapping ----------------------------------------------------------------------------------------------
    def over_samples(self, evaluate: AtLevel, rows: Rows, keys: Shaped[Array, "B ..."] | None) -> tuple[Array, ...]:
        """Values ``(B, …)``, or ``(B, W, …)`` for a window of several levels."""

        def sample(arrays: Arrays, key: Key | None) -> tuple[Array, ...]:
            return self._over_levels(evaluate, Rows(arrays, rows.axes), key)

        if self.samples == 1:
            values = sample(rows.arrays, None if keys is None else keys[0])
            return tuple(v if alone else v[None] for v, alone in zip(values, self.parameters_only, strict=True))
        in_axes = (
            {name: 0 if axes.samples else None for name, axes in rows.axes.items()},
            None if keys is None else 0,
        )
        out_axes = tuple(None if alone else 0 for alone in self.parameters_only)
        mapped = jax.vmap(sample, in_axes=in_axes, out_axes=out_axes, axis_size=self.samples)
        return tuple(mapped(rows.arrays, keys))

    def _over_levels(self, evaluate: AtLevel, rows: Rows, key: Key | None) -> tuple[Array, ...]:
        if self.window == 1:
            return tuple(evaluate(rows.arrays, key, None))
        keys = None if key is None else jax.random.split(key, self.window)

        def level(arrays: Arrays, key: Key | None) -> tuple[Array, ...]:
            return tuple(evaluate(arrays, key, rows))

        in_axes = ({name: 0 if axes.levels else None for name, axes in rows.axes.items()}, None if keys is None else 0)
        values = jax.vmap(level, in_axes=in_axes, axis_size=self.window)(rows.arrays, keys)
        return tuple(v[0] if alone else v for v, alone in zip(values, self.parameters_only, strict=True))


def _without_level(row: AnyArray, entry: Entry, batched: bool) -> AnyArray:
    """Without the axis of the one level; a time ``(1, 1)`` keeps its shape."""
    if entry.levels is None or entry.kind == "times":
        return row
    return jnp.squeeze(row, axis=int(batched))


def _levels_from(array: AnyArray, start: int | Int[Array, ""], *, count: int, is_time: bool) -> Shaped[Array, ...]:
    """Some levels of ``(T, ...)``; a single one loses its axis.  Time becomes ``(1, 1)`` at each level."""
    levels = jax.lax.dynamic_slice_in_dim(array, start, count)
    if is_time:
        levels = levels.reshape(count, 1, 1)
    return levels[0] if count == 1 else levels
