"""The kinds of elements: one row each, with the numbers and names that file formats give them."""

from __future__ import annotations

import re
from dataclasses import dataclass

Faces = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ElementKind:
    """A kind of element.

    Attributes:
        dimension: topological dimension.
        corners: number of its corners, which precede its other nodes in every format.
        plural: its name in messages.
        faces: corners of its faces, seen from outside, in the order of Abaqus; of plane elements, their sides.
        gmsh: gmsh's numbers of it and of its higher orders
            (https://gmsh.info/doc/texinfo/gmsh.html#MSH-file-format, and gmsh.model.mesh.getElementProperties).
        vtk: VTK's numbers (https://vtk.org/doc/nightly/html/vtkCellType_8h_source.html).
        abaqus: the numbers of nodes that Abaqus gives it.
    """

    dimension: int
    corners: int
    plural: str
    faces: Faces
    gmsh: tuple[int, ...]
    vtk: tuple[int, ...]
    abaqus: tuple[int, ...] = ()


KINDS = {
    "vertex": ElementKind(0, 1, "points", (), (15,), (1,)),
    "line": ElementKind(1, 2, "lines", (), (1, 8, *range(26, 29), *range(62, 67)), (3, 21, 35, 68, 75)),
    "triangle": ElementKind(
        2,
        3,
        "triangles",
        ((0, 1), (1, 2), (2, 0)),
        (2, 9, *range(20, 26), *range(42, 47), *range(52, 57)),
        (5, 22, 34, 69, 76),
        (3, 6, 7),
    ),
    "quad": ElementKind(
        2,
        4,
        "quadrilaterals",
        ((0, 1), (1, 2), (2, 3), (3, 0)),
        (3, 10, 16, *range(36, 42), *range(47, 52), *range(57, 62)),
        (8, 9, 23, 28, 30, 70, 77),
        (4, 8, 9),
    ),
    "tetra": ElementKind(
        3,
        4,
        "tetrahedra",
        ((2, 1, 0), (3, 0, 1), (3, 1, 2), (3, 2, 0)),
        (4, 11, *range(29, 34), *range(71, 76), *range(79, 84), 137),
        (10, 24, 71, 78),
        (4, 10),
    ),
    "pyramid": ElementKind(
        3,
        5,
        "pyramids",
        ((3, 2, 1, 0), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)),
        (7, 14, 19, *range(118, 132)),
        (14, 27, 37, 74, 81),
        (5, 13),
    ),
    "wedge": ElementKind(
        3,
        6,
        "wedges",
        ((2, 1, 0), (3, 4, 5), (0, 1, 4, 3), (1, 2, 5, 4), (2, 0, 3, 5)),
        (6, 13, 18, 90, 91, *range(106, 118)),
        (13, 26, 31, 32, 73, 80),
        (6, 15, 18),
    ),
    "hexahedron": ElementKind(
        3,
        8,
        "hexahedra",
        ((3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)),
        (5, 12, 17, *range(92, 106)),
        (11, 12, 25, 29, 33, 72, 79),
        (8, 20, 27),
    ),
}
SIMPLICES = ("vertex", "line", "triangle", "tetra")
"""The simplex of every dimension."""

_GMSH = {number: kind for kind, element in KINDS.items() for number in element.gmsh}
_VTK = {number: kind for kind, element in KINDS.items() for number in element.vtk}
_VTK_NAMES = {"curve": "line", "quadrilateral": "quad", "tetrahedron": "tetra"}


def simplices_name(dimension: int) -> str:
    """`"lines"`, `"triangles"` or `"tetrahedra"`."""
    return KINDS[SIMPLICES[dimension]].plural


def gmsh_kind(number: int) -> str:
    """The first-order kind of an element of gmsh, or a name that says its number."""
    return _GMSH.get(number, f"gmsh type {number}")


def vtk_kind(number: int) -> str | None:
    """The first-order kind of a cell of VTK, `None` for other cells."""
    return _VTK.get(number)


def abaqus_kinds(dimension: int) -> dict[int, str]:
    """Number of nodes -> kind, of Abaqus' elements of a dimension."""
    kinds = {kind: element for kind, element in KINDS.items() if element.dimension == dimension}
    return {nodes: kind for kind, element in kinds.items() for nodes in element.abaqus}


def face_kind(corners: int) -> str:
    """The kind of a face, or of a side of a plane element, by the number of its corners."""
    return next(kind for kind, element in KINDS.items() if element.dimension in (1, 2) and element.corners == corners)


def corner_count(kind: str) -> int:
    """Number of corners, one for kinds that are not in the table."""
    return KINDS[kind].corners if kind in KINDS else 1


def dimension_of(kind: str) -> int:
    """Topological dimension; 3 for kinds that are not in the table."""
    return KINDS[kind].dimension if kind in KINDS else 3


def linear_kind(kind: str) -> str:
    """The kind of first order, as `"tetra"` of meshio's `"tetra10"` or `"VTK_LAGRANGE_TETRAHEDRON"`."""
    match = re.fullmatch(r"VTK_(?:LAGRANGE|BEZIER)_(\w+)", kind)
    base = match[1].lower() if match else re.sub(r"\d+$", "", kind)
    base = _VTK_NAMES.get(base, base)
    return base if base in KINDS else kind
