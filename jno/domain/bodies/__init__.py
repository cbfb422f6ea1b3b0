"""Boxes and balls of any dimension: no mesh, points are drawn from the shape itself."""

from ._constructors import ball as ball
from ._constructors import box as box
from ._regions import BodyRegions as BodyRegions
