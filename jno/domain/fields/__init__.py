"""Functions of the position: distances, coefficients by region, interpolants."""

from ._fields import by_region as by_region
from ._fields import distance_function as distance_function
from ._fields import interpolate as interpolate
