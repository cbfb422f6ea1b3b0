"""Reference elements and quadrature rules, tabulated by basix, and the numbering of degrees of freedom on meshes."""

from ._lagrange import Lagrange as Lagrange
from ._lagrange import lagrange as lagrange
from ._numbering import DofMap as DofMap
from ._numbering import number_dofs as number_dofs
from ._quadrature import ReferenceRule as ReferenceRule
from ._quadrature import facet_points as facet_points
from ._quadrature import reference_rule as reference_rule
