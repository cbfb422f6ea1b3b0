"""What a domain is made of: points, a mesh or regions of a shape, and tags."""

from ._batch import GeometryBatch as GeometryBatch
from ._batch import Group as Group
from ._distance import Distance as Distance
from ._distance import exact_distance as exact_distance
from ._distance import nearest_facets as nearest_facets
from ._distance import squared_distances as squared_distances
from ._geometry import Geometry as Geometry
from ._inverse_distance import InverseDistances as InverseDistances
from ._lazy import LazyRegions as LazyRegions
from ._mesh_builder import build_geometry as build_geometry
from ._point_cloud import cloud_geometry as cloud_geometry
from ._point_cloud import load_npz as load_npz
from ._predicates import NearestNode as NearestNode
from ._predicates import NoSuchRegion as NoSuchRegion
from ._predicates import Where as Where
from ._predicates import checked_where as checked_where
from ._predicates import facet_mask as facet_mask
from ._selection import select_on_mesh as select_on_mesh
from ._set_tags import EXTRA_NODES as EXTRA_NODES
from ._sides import SIDES as SIDES
from ._trapezoids import Trapezoids as Trapezoids
from ._trapezoids import choose as choose
from ._trapezoids import trapezoids as trapezoids
