"""View factors between boundaries of the plane."""

from ._enclosures import ViewFactors as ViewFactors
from ._enclosures import arcs_of_record as arcs_of_record
from ._enclosures import boundary_list as boundary_list
from ._enclosures import compute_enclosure_view_factor as compute_enclosure_view_factor
from ._enclosures import enclosure as enclosure
from ._enclosures import sampled_boundary as sampled_boundary
from ._enclosures import self_view_factor as self_view_factor
from ._surfaces import facing_medium as facing_medium
from ._surfaces import without_windows as without_windows
