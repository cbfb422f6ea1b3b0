"""Regions that points can be drawn from: samplers of the unit cube, and their maps onto regions."""

from ._bisection import BisectedCells as BisectedCells
from ._device_maps import BoxMap as BoxMap
from ._device_maps import DeviceMap as DeviceMap
from ._device_maps import DevicePoints as DevicePoints
from ._device_maps import Pieces as Pieces
from ._device_maps import SimplexMap as SimplexMap
from ._device_maps import TrapezoidMap as TrapezoidMap
from ._device_samplers import DeviceSampler as DeviceSampler
from ._device_samplers import Table as Table
from ._device_samplers import unit_floats as unit_floats
from ._drawable import DrawableRegion as DrawableRegion
from ._drawable import DrawableSimplices as DrawableSimplices
from ._drawable import PointsAndNormals as PointsAndNormals
from ._drawable import has_extent as has_extent
from ._graded_region import graded_cells as graded_cells
from ._graded_region import graded_region as graded_region
from ._samplers import NAMES as NAMES
from ._samplers import Sampler as Sampler
from ._samplers import check_name as check_name
from ._samplers import unit_points as unit_points
from ._selected_part import SelectedPart as SelectedPart
from ._space_time import SpaceTimeMap as SpaceTimeMap
from ._space_time import draw_with_times as draw_with_times
from ._space_time import space_time_region as space_time_region
