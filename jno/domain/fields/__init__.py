"""Functions of the position: distances, coefficients by region, interpolants."""

from ._envelope import dirichlet_envelope as dirichlet_envelope
from ._fields import by_region as by_region
from ._fields import distance_function as distance_function
from ._fields import interpolate as interpolate
from ._importance import importance_weights as importance_weights
from ._symbols import fem_symbols as fem_symbols
from ._symbols import test_function as test_function
from ._symbols import trial_function as trial_function
