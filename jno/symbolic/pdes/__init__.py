"""Residuals of named partial differential equations, "left side minus right side"."""

from ._diffusion import biharmonic as biharmonic
from ._diffusion import diffusion as diffusion
from ._diffusion import heat as heat
from ._diffusion import helmholtz as helmholtz
from ._diffusion import poisson as poisson
from ._diffusion import wave as wave
from ._reaction import allen_cahn as allen_cahn
from ._reaction import cahn_hilliard as cahn_hilliard
from ._reaction import fisher_kpp as fisher_kpp
from ._systems import maxwell_3d as maxwell_3d
from ._systems import navier_stokes_incompressible_2d as navier_stokes_incompressible_2d
from ._transport import advection as advection
from ._transport import advection_diffusion_reaction as advection_diffusion_reaction
from ._transport import burgers_1d as burgers_1d
from ._transport import burgers_inviscid_1d as burgers_inviscid_1d
from ._transport import continuity as continuity
