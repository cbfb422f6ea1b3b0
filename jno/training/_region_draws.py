"""Random points of a tag for every row that has points of its own, as a pure function of a key."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.compiler import Program
from jno.domain import DeviceDraw, SampleRecord, device_draw

from ._types import Key

DrawnRows: TypeAlias = tuple[Float[Array, "B N _"], Float[Array, "B N _"] | None]
"""Points of every row, and their outward normals on a boundary."""

HostRows: TypeAlias = tuple[Float[np.ndarray, "B N _"], Float[np.ndarray, "B N _"] | None]
"""The same on the host."""


class NotOnDeviceError(Exception):
    """The points of a tag cannot be drawn by compiled code; the text says why."""


@dataclasses.dataclass(frozen=True, eq=False)
class RegionDraws:
    """How compiled code draws the points of a tag.

    Attributes:
        draws: one for every geometry; their tables may be arguments of compiled code.
        of_row: number of its draw, for every row that has points of its own.
        dtype: of the points.
    """

    draws: tuple[DeviceDraw, ...]
    of_row: tuple[int, ...]
    dtype: Any

    @classmethod
    def of(cls, record: SampleRecord, program: Program, domain: Any, count: int) -> RegionDraws:
        """Draws of ``count`` points for every row.

        Raises:
            NotOnDeviceError: the region needs the host.
        """
        rows, levels, *_ = program.sources["points", record.tag].shape
        if ("nearest", record.tag) in program.layout.entries or levels > 1:
            raise NotOnDeviceError("finite differences need nodes of the mesh, which the host chooses")
        geometries = domain.batch.by_row[:rows]
        draws = {id(geometry): device_draw(geometry, record, count) for geometry in geometries}
        on_device = tuple(draw for draw in draws.values() if draw is not None)
        if len(on_device) < len(draws):
            raise NotOnDeviceError(f"the host draws from the region {record.region!r}")
        order = list(draws)
        dtype = program.abstract_data["points", record.tag].dtype
        return cls(on_device, tuple(order.index(id(geometry)) for geometry in geometries), dtype)

    def rows(self, draws: Sequence[DeviceDraw], key: Key) -> DrawnRows:
        """The points that belong to a key, by these draws."""
        if len(self.of_row) == 1:
            points, normals = draws[0](key, self.dtype)
            return points[None], None if normals is None else normals[None]
        keys, of_row = jax.random.split(key, len(self.of_row)), np.asarray(self.of_row)
        parts = [
            jax.vmap(lambda row_key, draw=draw: draw(row_key, self.dtype))(keys[np.flatnonzero(of_row == number)])
            for number, draw in enumerate(draws)
        ]
        place = np.argsort(np.argsort(of_row, kind="stable"))
        joined: DrawnRows = jax.tree_util.tree_map(lambda *rows: jnp.concatenate(rows)[place], *parts)
        return joined
