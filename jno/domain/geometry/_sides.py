"""Names of the sides of lines, rectangles and boxes."""

from __future__ import annotations

SIDES = {
    1: (("left", "right"),),
    2: (("left", "right"), ("bottom", "top")),
    3: (("left", "right"), ("front", "back"), ("bottom", "top")),
}
"""Number of space dimensions -> the names of the low and the high end of every axis."""
