"""Adaptive replacement on the device: candidates, their residuals and the choice are one compiled function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from jno.compiler import Program
from jno.domain import DeviceDraw, SampleRecord

from ._region_draws import DrawnRows, HostRows, NotOnDeviceError, RegionDraws
from ._scorer import Scorer
from ._types import Data, Key, Modules


class DeviceChoice:
    """Replaces points of one tag by a strategy that can choose inside compiled code.

    Args:
        record: the point set.
        program: the constraints.
        domain: where candidates are drawn from.
        scorer: their residuals.

    Raises:
        NotOnDeviceError: the strategy or the region needs the host.
    """

    def __init__(self, record: SampleRecord, program: Program, domain: Any, scorer: Scorer | None) -> None:
        strategy, (rows, _, count, _) = record.resampling_strategy, program.sources["points", record.tag].shape
        assert strategy is not None
        if scorer is None or not strategy.has_device_choice:
            raise NotOnDeviceError(f"{type(strategy).__name__} chooses on the host")
        self._record, self._strategy, self._scorer = record, strategy, scorer
        self._region = RegionDraws.of(record, program, domain, strategy.pool_size(count))
        self._store = domain.samples
        self._levels = len(domain.context[record.time_tag])
        self._own_points = rows > 1
        self._compiled = eqx.filter_jit(self._replaced)

    def __call__(
        self, modules: Mapping[int, PyTree], entries: Data, samples: Int[np.ndarray, " S"], key: Key
    ) -> HostRows:
        """The next points of all rows and their outward normals.

        Args:
            modules: the models as they are now.
            entries: the newest entries of the data.
            samples: whose residuals count where all samples share the points.
            key: the only source of randomness.
        """
        rows = np.arange(len(self._region.of_row))
        data, batched = self._scorer.data_of(entries, rows if self._own_points else samples)
        inference = eqx.nn.inference_mode(dict(modules))
        places, outward = self._present(rows)
        normals = None if outward is None else jnp.asarray(outward, self._region.dtype)
        present = (jnp.asarray(places, self._region.dtype), normals)
        drawn = jax.device_get(self._compiled(inference, data, batched, present, key, self._region.draws))
        (new, new_outward), staying = drawn
        # on the host points may have more digits than on the device
        every = np.where(staying, places, new)
        return every, None if outward is None or new_outward is None else np.where(staying, outward, new_outward)

    def _present(self, rows: Int[np.ndarray, " B"]) -> HostRows:
        """The points as they are now."""
        of_rows = [self._store.points_of(self._record, int(row)) for row in rows]
        normals = [outward for _, outward in of_rows if outward is not None]
        return np.stack([points for points, _ in of_rows]), np.stack(normals) if len(normals) == len(rows) else None

    # --- a pure function --------------------------------------------------------------------------------------
    def _replaced(
        self,
        modules: Modules,
        data: Data,
        batched: Data,
        present: DrawnRows,
        key: Key,
        draws: tuple[DeviceDraw, ...],
    ) -> tuple[DrawnRows, Bool[Array, "B N 1"]]:
        """The next points with their outward normals, and which of them have not changed."""
        draw_key, choice_key = jax.random.split(key)
        pool, pool_normals = self._region.rows(draws, draw_key)
        every = jnp.concatenate([present[0], pool], axis=1)
        outward = None
        if present[1] is not None and pool_normals is not None:
            outward = jnp.concatenate([present[1], pool_normals], axis=1)

        def scores(sample: Data, at: Float[Array, "M D"], normals: Float[Array, "M _"] | None) -> Float[Array, " M"]:
            values = self._scorer.normalised(modules, {**data, **sample}, at, normals)
            return jnp.mean(values[: self._levels], axis=0)

        oriented = self._record.normal_sign * outward if self._record.normals and outward is not None else None
        if self._own_points:
            of_rows = jax.lax.map(lambda row: scores(*row), (batched, every, oriented))
        else:
            shared = None if oriented is None else oriented[0]
            of_rows = jnp.mean(jax.lax.map(lambda sample: scores(sample, every[0], shared), batched), axis=0)[None]
        count = present[0].shape[1]
        keys = jax.random.split(choice_key, len(of_rows))
        choose = lambda at, row_key: self._strategy.device_choice(at[:count], at[count:], row_key)  # noqa: E731
        choices = jax.vmap(choose)(of_rows, keys)[..., None]
        taken = None if outward is None else jnp.take_along_axis(outward, choices, axis=1)
        return (jnp.take_along_axis(every, choices, axis=1), taken), choices < count
