"""The problems of the table, by id."""

from .._case import Problem
from . import burgers1d, deeponet, ns2d, poisson2d

PROBLEMS: dict[str, Problem] = {module.PROBLEM.id: module.PROBLEM for module in (poisson2d, burgers1d, ns2d, deeponet)}
