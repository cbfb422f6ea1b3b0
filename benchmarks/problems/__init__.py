"""The problems of the table, by id."""

from .._case import Problem
from . import biharmonic2d, burgers1d, deeponet, fno2d, helmholtz3d, hjb_d50, ns2d, poisson2d

_MODULES = (poisson2d, burgers1d, ns2d, biharmonic2d, helmholtz3d, hjb_d50, deeponet, fno2d)

PROBLEMS: dict[str, Problem] = {module.PROBLEM.id: module.PROBLEM for module in _MODULES}
