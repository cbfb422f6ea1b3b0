"""gmsh's numbers of kinds of elements."""

from __future__ import annotations

# first-order kind -> gmsh's numbers of it and of its higher orders, all of which list the corners first
# (https://gmsh.info/doc/texinfo/gmsh.html#MSH-file-format, and gmsh.model.mesh.getElementProperties)
_NUMBERS = {
    "vertex": (15,),
    "line": (1, 8, *range(26, 29), *range(62, 67)),
    "triangle": (2, 9, *range(20, 26), *range(42, 47), *range(52, 57)),
    "quad": (3, 10, 16, *range(36, 42), *range(47, 52), *range(57, 62)),
    "tetra": (4, 11, *range(29, 34), *range(71, 76), *range(79, 84), 137),
    "hexahedron": (5, 12, 17, *range(92, 106)),
    "wedge": (6, 13, 18, 90, 91, *range(106, 118)),
    "pyramid": (7, 14, 19, *range(118, 132)),
}
_KINDS = {number: kind for kind, numbers in _NUMBERS.items() for number in numbers}


def gmsh_kind(number: int) -> str:
    """The first-order kind of an element, or a name that says its number."""
    return _KINDS.get(number, f"gmsh type {number}")
