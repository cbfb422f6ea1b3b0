"""Uncertainty: kernels and approximations as strategies, priors, starting points, and diagnostics of chains."""

from . import priors as priors
from ._diagnostics import ess as ess
from ._diagnostics import rhat as rhat
from ._initializer import LogDensityInitializer as LogDensityInitializer
from ._kernels import SUPPORTED as SUPPORTED
from ._kernels import TUNED as TUNED
from ._kernels import Kernel as Kernel
from ._kernels import kernel_of as kernel_of
from ._kernels import log_density_of as log_density_of
from ._kernels import position_of as position_of
from ._laplace import laplace as laplace
from ._pathfinder import pathfinder as pathfinder
from ._svgd import svgd as svgd
from ._variational import GaussianApproximation as GaussianApproximation

__all__ = ["ess", "laplace", "pathfinder", "priors", "rhat", "svgd"]
