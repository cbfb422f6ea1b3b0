"""Triangles on an arrangement, made by gmsh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jno.utils import is_real

from ..mesh import Gmsh, generate, gmsh_model
from ._arrangement import Arrangement

# gmsh has one current model per process.
_ONE_AT_A_TIME = Lock()


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Nodes, triangles with the face each lies in, and the pieces of every edge in its direction."""

    points: Float[np.ndarray, "N 2"]
    cells: Int[np.ndarray, "M 3"]
    faces: Int[np.ndarray, " M"]
    pieces: tuple[Int[np.ndarray, "_ 2"], ...]


@dataclass(frozen=True, eq=False)
class Box:
    """An element size inside of a bounding box, with a smooth transition around it."""

    bounds: tuple[float, float, float, float]
    size: float

    def add(self, field: Gmsh, mesh_size: float) -> int:
        """Make the field of gmsh; returns its number."""
        x0, y0, x1, y1 = self.bounds
        values = {"VIn": self.size, "VOut": mesh_size, "XMin": x0, "XMax": x1, "YMin": y0, "YMax": y1}
        values |= {"ZMin": -1.0, "ZMax": 1.0, "Thickness": 3.0 * mesh_size}
        return _field(field, "Box", values)


@dataclass(frozen=True, eq=False)
class Corners:
    """An element size at nodes, which grows with the distance from them."""

    nodes: Int[np.ndarray, " C"]
    size: float

    def add(self, field: Gmsh, mesh_size: float) -> int:
        """Make the field of gmsh; returns its number."""
        distance = field.add("Distance")
        field.setNumbers(distance, "PointsList", (self.nodes + 1).tolist())
        reach = self.size
        values = {"InField": distance, "SizeMin": self.size, "SizeMax": mesh_size, "DistMin": 0.0, "DistMax": reach}
        return _field(field, "Threshold", values)


SizeField = Box | Corners


def _field(field: Gmsh, kind: str, values: Mapping[str, float | int]) -> int:
    number = field.add(kind)
    for name, value in values.items():
        field.setNumber(number, name, float(value))
    return int(number)


def triangulate(
    plan: Arrangement, node_sizes: Float[np.ndarray, " N"], fields: list[SizeField], mesh_size: float, algorithm: int
) -> Triangulation:
    """Mesh every face; faces share the pieces of their common edges. The same input gives the same mesh."""
    with _ONE_AT_A_TIME, gmsh_model("build_mesh()") as gmsh:
        _draw(gmsh, plan, node_sizes)
        _smallest(gmsh.model.mesh.field, fields, mesh_size)
        generate(gmsh, 2, None, algorithm, "The polygon domain")
        return _read(gmsh, plan)


def _draw(gmsh: Gmsh, plan: Arrangement, sizes: Float[np.ndarray, " N"]) -> None:
    geo = gmsh.model.geo
    for node in np.unique(plan.edges):
        geo.addPoint(*map(float, plan.nodes[node]), 0.0, float(sizes[node]), int(node) + 1)
    for number, (start, stop) in enumerate(plan.edges):
        geo.addLine(int(start) + 1, int(stop) + 1, number + 1)
    for number, loops in enumerate(plan.faces):
        geo.addPlaneSurface([geo.addCurveLoop(loop.tolist()) for loop in loops], number + 1)
    geo.synchronize()
    for edge in np.flatnonzero(plan.loose >= 0):
        gmsh.model.mesh.embed(1, [int(edge) + 1], 2, int(plan.loose[edge]) + 1)


def _smallest(field: Gmsh, fields: list[SizeField], mesh_size: float) -> None:
    """The smallest of the sizes of all fields holds."""
    numbers = [entry.add(field, mesh_size) for entry in fields]
    if numbers:
        smallest = field.add("Min")
        field.setNumbers(smallest, "FieldsList", numbers)
        field.setAsBackgroundMesh(smallest)


def _read(gmsh: Gmsh, plan: Arrangement) -> Triangulation:
    tags, coordinates, _ = gmsh.model.mesh.getNodes()
    position = np.full(int(tags.max()) + 1, -1, dtype=np.int64)
    position[tags.astype(np.int64)] = np.arange(len(tags))
    points = np.asarray(coordinates).reshape(-1, 3)[:, :2].copy()
    cells, faces = [], []
    for number in range(len(plan.faces)):
        nodes = _nodes(gmsh, 2, number + 1, 3)
        cells.append(position[nodes])
        faces.append(np.full(len(nodes), number))
    pieces = []
    for number, (start, stop) in enumerate(plan.nodes[plan.edges]):
        piece = position[_nodes(gmsh, 1, number + 1, 2)]
        _straighten(points, np.unique(piece), start, stop)
        pieces.append(piece)
    return Triangulation(points, np.concatenate(cells), np.concatenate(faces), tuple(pieces))


def _nodes(gmsh: Gmsh, dimension: int, tag: int, width: int) -> Int[np.ndarray, "M V"]:
    _, _, nodes = gmsh.model.mesh.getElements(dimension, tag)
    flat = np.concatenate(nodes) if len(nodes) else np.zeros(0)
    return flat.astype(np.int64).reshape(-1, width)


def _straighten(points: np.ndarray, nodes: np.ndarray, start: np.ndarray, stop: np.ndarray) -> None:
    """Put nodes exactly on their edge, so that predicates such as `x == 0` find those of an axis-aligned one."""
    along = stop - start
    share = (points[nodes] - start) @ along / (along @ along)
    share = np.where(np.abs(share) < 1e-12, 0.0, np.where(np.abs(share - 1.0) < 1e-12, 1.0, share))
    points[nodes] = np.where((share == 1.0)[:, None], stop, start + share[:, None] * along)


def check_sizes(sizes: Mapping[str, Any], regions: Mapping[str, Any]) -> dict[str, float]:
    """Positive sizes of known regions."""
    unknown = sorted(str(name) for name in sizes if name not in regions)
    if unknown:
        raise ValueError(f"build_mesh: unknown region(s) {unknown}; regions of this domain: {sorted(regions)}.")
    return {name: checked_size(f"The mesh size of region {name!r}", size) for name, size in sizes.items()}


def checked_size(what: str, size: object) -> float:
    """A positive finite number."""
    if not is_real(size) or size <= 0.0:
        raise ValueError(f"{what} must be a positive float; got {size!r}.")
    return float(size)
