"""Abaqus' types of elements, and the numbers of their faces."""

from __future__ import annotations

import re

from ...mesh import abaqus_kinds

_SOLIDS, _FLAT = abaqus_kinds(3), abaqus_kinds(2)
# families of element types by their first letters; the number of nodes follows
_FAMILIES = (
    (r"(?:E|D|DC|AC|Q|DCC)?C?3D(\d+)", _SOLIDS),
    (r"SC(\d+)", _SOLIDS),
    (r"COH3D(\d+)", _SOLIDS),
    (r"(?:CPS|CPE|CPEG|CAX|CGAX|DC2D|DCAX|DCC2D|DCCAX|AC2D|ACAX|EC2D)(\d+)", _FLAT),
    (r"(?:S|DS|M3D|R3D|SFM3D|F3D|DSAX|COH2D|COHAX)(\d+)", _FLAT),
)
# trusses, rods and rigid links give their number of nodes last, beams their order
_LINES = r"(?:T2D|T3D|R2D|RAX|RB2D|RB3D|F2D|FAX|DC1D|AC1D|SFMAX|MAX)(\d)"
_BEAMS = r"(?:B|PIPE|FRAME)[23](\d)"


def element_type(name: str) -> tuple[str, int] | None:
    """The kind and the number of nodes of a type of elements such as `"C3D10M"`, `None` when it is not known."""
    name = name.upper()
    if name in ("STRI3", "STRI65"):
        return "triangle", 3 if name == "STRI3" else 6
    if match := re.match(_BEAMS, name):
        return "line", 3 if match[1] == "2" else 2
    if match := re.match(_LINES, name):
        return ("line", int(match[1])) if match[1] in "23" else None
    for pattern, kinds in _FAMILIES:
        match = re.match(pattern, name)
        if match:
            nodes = int(match[1])
            # S4R5 and S8R5 have four and eight nodes; C3D8R and CPS4R one digit before the letters
            return (kinds[nodes], nodes) if nodes in kinds else None
    return None
