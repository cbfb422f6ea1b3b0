"""Meshes, and time series of them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float

from jno.domain import Mesh
from jno.domain import domain as domain_of
from jno.utils import bounded_bytes, get_limits, shown_path

from ._description import Description, byte_count, counted, limited


def mesh(path: Path) -> Description:
    """Dimension, points, elements, extent and tags, as `jno.domain(path)` has them."""
    geometry = domain_of(str(path)).geometry
    rows = {
        "size": byte_count(path.stat().st_size),
        "dimension": str(geometry.dimension),
        "points": f"{len(geometry.points):,}",
        "extent": _extent(geometry.points),
    }
    if geometry.mesh is not None:
        rows["elements"] = _elements(geometry.mesh)
    tags = {
        f"tag {name!r}": _tag(len(tag.nodes), tag.cells, tag.facets, geometry.is_boundary(name))
        for name, tag in geometry.tags.items()
    }
    return Description(f"a mesh ({path.suffix.lower()})", rows | limited(tags, "tags"))


def series(path: Path) -> Description:
    """A `.pvd` collection: its times, and whether the files of all are there."""
    name = shown_path(path)
    text = bounded_bytes(path, repr(name), get_limits())
    try:
        root = ElementTree.fromstring(text)
        entries = {float(entry.attrib["timestep"]): entry.attrib["file"] for entry in root.iter("DataSet")}
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ValueError(f"{name!r} is damaged, truncated or no .pvd collection ({error})") from error
    if root.tag != "VTKFile" or root.get("type") != "Collection" or not entries:
        raise ValueError(f"{name!r} is no .pvd collection: its root is {root.tag!r} of type {root.get('type')!r}")
    missing = [file for file in entries.values() if not _is_beside(path, file)]
    rows = {
        "size": byte_count(len(text)),
        "levels": counted(len(entries), "time"),
        "times": f"{min(entries):g} to {max(entries):g}",
        "files": ", ".join(list(entries.values())[:4]) + (" …" if len(entries) > 4 else ""),
    }
    fault = f"{name!r} names files that are not beside it: {', '.join(missing[:4])}" if missing else None
    return Description("a time series of meshes with fields (.pvd)", rows, fault)


def _is_beside(path: Path, file: str) -> bool:
    """Whether a file that a collection names is there; what it names elsewhere is not looked for."""
    relative = Path(file)
    return not relative.is_absolute() and ".." not in relative.parts and (path.parent / relative).is_file()


def _extent(points: Float[np.ndarray, "N D"]) -> str:
    lows, highs = points.min(axis=0), points.max(axis=0)
    return " x ".join(f"[{low:.4g}, {high:.4g}]" for low, high in zip(lows, highs, strict=True))


def _elements(mesh: Mesh) -> str:
    return f"{len(mesh.cells):,} x {mesh.cell_kind}, {len(mesh.facets):,} x {mesh.facet_kind}"


def _tag(nodes: int, cells: np.ndarray | None, facets: np.ndarray | None, boundary: bool) -> str:
    parts = [counted(nodes, "point")]
    parts += [counted(len(cells), "cell")] if cells is not None else []
    parts += [counted(len(facets), "facet")] if facets is not None else []
    return ", ".join(parts) + (", with normals" if boundary else "")
