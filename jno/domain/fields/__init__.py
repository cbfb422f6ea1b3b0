"""Functions of the position: distances, coefficients by region, interpolants."""

from ._fields import by_region as by_region
from ._fields import distance_function as distance_function
from ._fields import interpolate as interpolate
from ._symbols import fem_symbols as fem_symbols
from ._symbols import test_function as test_function
from ._symbols import trial_function as trial_function
