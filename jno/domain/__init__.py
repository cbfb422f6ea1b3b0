"""Geometry, tags, sampling and quadrature: the class `domain` and what it returns."""

from ._domain import domain as domain
from ._polygon_domain import PolygonDomain as PolygonDomain
from .mesh._mesh import Mesh as Mesh
from .mesh._quadrature import Quadrature as Quadrature

csg = PolygonDomain
from_array = domain.from_array
