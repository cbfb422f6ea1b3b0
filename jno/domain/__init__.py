"""Geometry, tags, sampling and quadrature: the class `domain` and what it returns.

For the compiler and for training: `DomainView` is what a domain holds, `SampleStore` its samples, `candidates` draws
points that may replace others, `device_draw` does so inside compiled code, and `quadratures` gives the quadrature on
every geometry.
"""

from ._domain import PolygonDomain as PolygonDomain
from ._domain import domain as domain
from ._regions import quadratures as quadratures
from .mesh import Mesh as Mesh
from .mesh import MeshConnectivity as MeshConnectivity
from .mesh import Quadrature as Quadrature
from .sampling import DeviceDraw as DeviceDraw
from .sampling import DomainView as DomainView
from .sampling import SampleRecord as SampleRecord
from .sampling import SampleStore as SampleStore
from .sampling import candidates as candidates
from .sampling import device_draw as device_draw

csg = PolygonDomain
from_array = domain.from_array
