"""Geometries of the shapes that have a constructor, drawn ones and CAD files."""

from ._cad import cad_geometry as cad_geometry
from ._cad import is_cad as is_cad
from ._geometry_callable import callable_geometry as callable_geometry
from ._grids import cube as cube
from ._grids import equi_distant_rect as equi_distant_rect
from ._grids import line as line
from ._grids import poseidon as poseidon
from ._grids import rect as rect
from ._plane_shapes import disk as disk
from ._plane_shapes import l_shape as l_shape
from ._plane_shapes import polygon as polygon
from ._plane_shapes import rect_pml as rect_pml
from ._plane_shapes import rectangle_with_hole as rectangle_with_hole
from ._plane_shapes import rectangle_with_holes as rectangle_with_holes
from ._plane_shapes import triangle as triangle
from ._structured import NUMBERED_EDGES as NUMBERED_EDGES
