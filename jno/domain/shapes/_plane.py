"""Plane regions bounded by straight edges, meshed with gmsh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ..geometry import Geometry, build_geometry
from ..mesh import Entity, check_nodes, generate, gmsh_model, plane_nodes, read_model

Loop = tuple[int, ...]


@dataclass
class Plane:
    """Corners, edges between them, surfaces as loops of edges, and names of edges and surfaces.

    Edges and surfaces are numbered from one; in a loop a negative number runs through an edge backwards. The first
    loop of a surface is its outer boundary, further ones are its holes.
    """

    corners: list[tuple[float, float]] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    surfaces: list[tuple[Loop, ...]] = field(default_factory=list)
    names: dict[Entity, tuple[str, ...]] = field(default_factory=dict)

    def ring(self, corners: Float[np.ndarray, "K 2"], names: Sequence[tuple[str, ...]] = ()) -> Loop:
        """A closed polygon; `names[i]` are the sets of the edge from corner `i` to the next one."""
        start, count = len(self.corners), len(corners)
        self.corners.extend((float(x), float(y)) for x, y in corners)
        loop = tuple(self.edge(start + i, start + (i + 1) % count) for i in range(count))
        for number, sets in zip(loop, names, strict=False):
            self.names[1, number] = sets
        return loop

    def edge(self, start: int, stop: int) -> int:
        """A further edge; returns its number."""
        self.edges.append((start, stop))
        return len(self.edges)

    def surface(self, *loops: Loop, names: tuple[str, ...] = ()) -> None:
        """A further surface."""
        self.surfaces.append(loops)
        if names:
            self.names[2, len(self.surfaces)] = names


def mesh_plane(plane: Plane, mesh_size: float, algorithm: int, shape: str) -> Geometry:
    """Triangles of about the mesh size in all surfaces; shared edges are meshed once."""
    origin = f"jno.domain.{shape}()"
    _check_size(plane, mesh_size, origin)
    with gmsh_model(origin) as gmsh:
        geo = gmsh.model.geo
        for number, (x, y) in enumerate(plane.corners, start=1):
            geo.addPoint(x, y, 0.0, mesh_size, number)
        for number, (start, stop) in enumerate(plane.edges, start=1):
            geo.addLine(start + 1, stop + 1, number)
        for number, loops in enumerate(plane.surfaces, start=1):
            geo.addPlaneSurface([geo.addCurveLoop(list(loop)) for loop in loops], number)
        geo.synchronize()
        generate(gmsh, 2, None, algorithm, origin)
        raw = read_model(gmsh, 2, plane.names, origin)
    return build_geometry(raw, origin, ds=mesh_size, notice=False)


def _check_size(plane: Plane, mesh_size: float, origin: str) -> None:
    """Refuse a mesh of too many nodes; holes count as area, which is on the safe side by little."""
    corners = np.array(plane.corners)
    with np.errstate(over="ignore", invalid="ignore"):
        width, height = (float(extent) for extent in np.ptp(corners, axis=0))
        steps = np.diff(corners[np.array(plane.edges)], axis=1)
        perimeter = float(np.sum(np.hypot(steps[..., 0], steps[..., 1])))
    check_nodes(
        plane_nodes(width * height, perimeter, mesh_size),
        f"{origin}: mesh_size={mesh_size!r} on an extent of {width:g} x {height:g}",
    )
