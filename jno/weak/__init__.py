"""Weak forms: finite elements and variational networks, from terms that are expressions of symbols."""

from ._fem import FEM as FEM
from ._linear import SingularSystemError as SingularSystemError
from ._regularization import regularization as regularization
from ._statement import fem as fem

__all__ = ["FEM", "SingularSystemError", "fem"]
