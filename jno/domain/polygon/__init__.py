"""Polygons: set operations, exact sampling, meshes that conform to regions."""

from ._build import build_scene as build_scene
from ._build import source_regions as source_regions
from ._build import with_samplers as with_samplers
from ._build import with_strategies as with_strategies
from ._methods import add_boundary_segments as add_boundary_segments
from ._methods import build_mesh as build_mesh
from ._methods import compute_enclosure_view_factor as compute_enclosure_view_factor
from ._methods import difference as difference
from ._methods import intersection as intersection
from ._methods import region as region
from ._methods import scene_of as scene_of
from ._methods import symmetric_difference as symmetric_difference
from ._methods import union as union
from ._options import POLYGON_KEYWORDS as POLYGON_KEYWORDS
from ._options import PolygonOptions as PolygonOptions
from ._stack import stacked_batch as stacked_batch
