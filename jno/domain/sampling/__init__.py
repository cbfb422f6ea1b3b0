"""Points, normals and data: requests, where points come from, and the store that holds them."""

from ._candidates import candidates as candidates
from ._candidates import draw_candidates as draw_candidates
from ._data import check_data_options as check_data_options
from ._data import is_data as is_data
from ._data import same_reading as same_reading
from ._device_draw import DeviceDraw as DeviceDraw
from ._device_draw import device_draw as device_draw
from ._leaves import attach as attach
from ._leaves import attach_points as attach_points
from ._leaves import check_normals as check_normals
from ._leaves import columns as columns
from ._leaves import point_leaves as point_leaves
from ._leaves import tensor_leaves as tensor_leaves
from ._merging import merge_state as merge_state
from ._merging import merged_arrays as merged_arrays
from ._record import Request as Request
from ._record import SampleRecord as SampleRecord
from ._record import region_of as region_of
from ._replay import replay as replay
from ._request import point_request as point_request
from ._request import whole_tag as whole_tag
from ._rows import RandomStream as RandomStream
from ._store import SampleStore as SampleStore
from ._view import DomainView as DomainView
from ._view import prefill as prefill
from ._view import unknown_tag as unknown_tag
