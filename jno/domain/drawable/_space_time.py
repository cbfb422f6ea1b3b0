"""Points of space and time: every point has a time of its own, the last of its coordinates."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from jno.sampler import Graded
from jno.utils import Key

from .._time import TimeInterval
from ..geometry import Geometry
from ._device_maps import DeviceMap, DevicePoints
from ._device_samplers import Table, unit_floats
from ._drawable import DrawableRegion, DrawableSimplices, PointsAndNormals, drawable_of, has_extent
from ._graded_region import draw_points, graded_region
from ._samplers import Sampler, unit_points
from ._selected_part import SelectedPart


@dataclasses.dataclass(frozen=True, eq=False)
class SpaceTimeRegion(DrawableRegion):
    """A region of space times an interval of time, `(t0, t1]`.

    Attributes:
        region: in space.
        times: the interval.
    """

    region: DrawableRegion
    times: TimeInterval

    @property
    def coordinates(self) -> int:  # type: ignore[override]
        return self.region.coordinates + 1

    @property
    def device_map(self) -> DeviceMap | None:
        in_space = self.region.device_map
        return None if in_space is None else SpaceTimeMap(in_space, np.array(self.times.spec))

    def place(self, unit: Float[np.ndarray, "n K"]) -> PointsAndNormals:
        points, normals = self.region.place(unit[:, :-1])
        return np.concatenate([points, _times_of(unit[:, -1:], self.times)], axis=1), normals


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class SpaceTimeMap(DeviceMap):
    """The same for compiled code.

    Attributes:
        in_space: the map onto the region.
        times: first and last time `(2,)`.
    """

    in_space: DeviceMap
    times: Table

    def place(self, bits: UInt32[Array, "n K"], key: Key, dtype: np.dtype) -> DevicePoints:
        points, normals = self.in_space.place(bits[:, :-1], key, dtype)
        first, last = jnp.asarray(self.times, dtype)
        times = last - unit_floats(bits[:, -1:], dtype) * (last - first)
        return jnp.concatenate([points, times], axis=1), normals


def _times_of(share: Float[np.ndarray, "n 1"], times: TimeInterval) -> Float[np.ndarray, "n 1"]:
    # shares lie in [0, 1), times in (t0, t1]
    return times.stop - share * (times.stop - times.start)


def space_time_region(geometry: Geometry, name: str, times: TimeInterval | None) -> DrawableRegion:
    """The region of a tag, in which points are drawn with a time each; nodes and points of a cloud may repeat."""
    if times is None:
        return drawable_of(geometry, name)
    tag = geometry.tags.get(name)
    if name in geometry.drawable or (geometry.mesh is not None and tag is not None and has_extent(tag)):
        return SpaceTimeRegion(drawable_of(geometry, name), times)
    corners = geometry.pool(name)[:, None, :]
    return SpaceTimeRegion(DrawableSimplices(corners, np.ones(len(corners)), geometry.tags[name].normals), times)


def draw_with_times(
    geometry: Geometry,
    name: str,
    count: int,
    sampler: Sampler | None,
    generator: np.random.Generator,
    times: TimeInterval | None,
) -> PointsAndNormals:
    """Points of a region and their normals on a boundary; with a time each where there is an interval of them.

    A named sampler spreads points over space and time together. Where points in space are drawn by rejection or by a
    function of the user, the times are spread evenly, and independent of the places.
    """
    if times is None:
        return draw_points(geometry, name, count, sampler, generator)
    if isinstance(sampler, Graded):
        denser = SpaceTimeRegion(graded_region(geometry, name, sampler), times)
        return denser.draw(count, sampler.sampler, generator)
    lazy = geometry.lazy
    placement = lazy.placement(name, sampler) if lazy is not None and name in geometry.drawable else sampler
    region = space_time_region(geometry, name, times)
    assert isinstance(region, SpaceTimeRegion)  # there are times
    if (placement is None or isinstance(placement, str)) and not isinstance(region.region, SelectedPart):
        return region.draw(count, placement, generator)
    points, normals = draw_points(geometry, name, count, sampler, generator)
    share = unit_points("latin_hypercube", count, 1, generator)
    return np.concatenate([points, _times_of(share, times)], axis=1), normals
