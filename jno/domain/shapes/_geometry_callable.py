"""Geometries drawn by a function of the user."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

from jno.utils import takes

from ..geometry import Geometry, build_geometry
from ..io import from_meshio
from ..mesh import Gmsh, RawMesh, generate, gmsh_model, numbered_names, physical_names, read_model
from ._checks import checked_size

_EXPECTED = (
    "must return (geo, dimension, mesh_size) with the geo that it was given, or a meshio.Mesh in its place, "
    "the dimension 1, 2 or 3 and a positive mesh size"
)


def callable_geometry(draw: Callable[..., Any], *, algorithm: int, keep_orphan_nodes: bool) -> Geometry:
    """Call `draw(geo)` once with an empty `gmsh.model` and mesh what it returns.

    Physical groups become tags; without any, the faces (in the plane: edges) are numbered tags.
    """
    origin = f"The geometry callable {draw!r}"
    if not takes(draw, 1):
        raise TypeError(f"jno.domain({draw!r}): a function that draws takes one argument, the empty gmsh.model.")
    with gmsh_model("A geometry callable") as gmsh:
        drawing, dimension, size = _checked_result(draw(gmsh.model), origin)
        raw = _meshed(gmsh, drawing, dimension, size, algorithm, origin)
    return build_geometry(raw, origin, ds=size, dimension=dimension, keep_orphan_nodes=keep_orphan_nodes, notice=False)


def _checked_result(result: object, origin: str) -> tuple[Any, int, float]:
    if not isinstance(result, tuple) or len(result) != 3:
        raise ValueError(f"{origin} {_EXPECTED}; it returned {result!r}.")
    drawing, dimension, size = result
    if not isinstance(dimension, Integral) or isinstance(dimension, bool) or dimension not in (1, 2, 3):
        raise ValueError(f"{origin} {_EXPECTED}; it returned the dimension {dimension!r}.")
    return drawing, int(dimension), checked_size(size)


def _meshed(gmsh: Gmsh, drawing: object, dimension: int, size: float, algorithm: int, origin: str) -> RawMesh:
    if type(drawing).__module__.partition(".")[0] == "meshio":
        return from_meshio(drawing, origin)
    if drawing is not gmsh.model and drawing is not gmsh:
        raise ValueError(f"{origin} {_EXPECTED}; it returned the geometry {drawing!r}.")
    gmsh.model.geo.synchronize()
    gmsh.model.occ.synchronize()
    if not gmsh.model.getEntities(dimension):
        raise ValueError(f"{origin} drew no entity of dimension {dimension}.")
    generate(gmsh, dimension, size, algorithm, origin)
    return read_model(gmsh, dimension, physical_names(gmsh) or numbered_names(gmsh, dimension), origin)
