"""Points of a region by a key alone, as a pure function with tables that compiled code takes as arguments."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from jno.sampler import Graded
from jno.utils import Key

from ..drawable import (
    DeviceMap,
    DevicePoints,
    DeviceSampler,
    SimplexMap,
    SpaceTimeMap,
    graded_region,
    has_extent,
    space_time_region,
)
from ..geometry import Geometry
from ._record import SampleRecord


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class DeviceDraw:
    """A pytree of tables: `key -> (points, outward normals)`."""

    sampler: DeviceSampler
    region: DeviceMap

    def __call__(self, key: Key, dtype: np.dtype) -> DevicePoints:
        """Fresh points `(n, D)` of the region, and their outward normals on a boundary."""
        unit_key, fine_key = jax.random.split(key)
        return self.region.place(self.sampler(unit_key), fine_key, dtype)


def device_draw(geometry: Geometry, record: SampleRecord, count: int) -> DeviceDraw | None:
    """How compiled code draws the points of a point set from a geometry; `None` where only the host can.

    The host is needed for regions that a predicate selects, point clouds, single nodes and samplers that are functions
    of the user.
    """
    region, sampler = record.region, record.shape_sampler
    lazy = geometry.lazy
    if isinstance(sampler, Graded):
        graded = graded_region(geometry, region, sampler)
        # of simplices that fill a box the map of the region itself would be that onto the box, which is uniform
        cells = SimplexMap.of(graded.corners, graded.sizes, graded.normals)
        if record.times is None:
            return DeviceDraw(DeviceSampler.named(sampler.sampler, count, graded.coordinates), cells)
        moving = SpaceTimeMap(cells, np.array(record.times.spec))
        return DeviceDraw(DeviceSampler.named(sampler.sampler, count, graded.coordinates + 1), moving)
    if lazy is not None and region in geometry.drawable:
        placement = lazy.placement(region, sampler)
    else:
        tag = geometry.tags.get(region)
        if tag is None or (record.times is None and (geometry.mesh is None or not has_extent(tag))):
            return None
        placement = sampler
    drawable = space_time_region(geometry, region, record.times)
    device_map = drawable.device_map
    if device_map is None or not (placement is None or isinstance(placement, str)):
        return None
    return DeviceDraw(DeviceSampler.named(placement, count, drawable.coordinates), device_map)
