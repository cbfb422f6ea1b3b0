"""Fields on the nodes or cells of a mesh, for one time or a time series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Float

from jno.utils import write_atomically

from ..geometry import Geometry
from ..mesh import Mesh
from ._mesh_export import TAG_PREFIX, padded, write_vtk


@dataclass(frozen=True, eq=False)
class FieldData:
    """Values `(T, K, C)` on the nodes or cells; `T` is one and `steady` true for a field without time."""

    name: str
    values: Float[np.ndarray, "T K C"]
    on_cells: bool
    steady: bool

    def level(self, number: int) -> np.ndarray:
        """One time level as VTK wants it: numbers `(K,)`, vectors of the plane with a third component."""
        values = self.values[0 if self.steady else number]
        return values[:, 0] if values.shape[1] == 1 else padded(values) if values.shape[1] == 2 else values


def checked_field(name: object, values: object, mesh: Mesh) -> FieldData:
    """Match the shape of user values with the nodes, else the cells, of the mesh."""
    if not isinstance(name, str) or not name or name.startswith(TAG_PREFIX):
        raise ValueError(f"The name of a field must be a non-empty string without the prefix 'tag:'; got {name!r}.")
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"The field {name!r} must hold real numbers; got dtype {array.dtype}.")
    array = array.astype(np.float64)
    for on_cells, count in ((False, len(mesh.points)), (True, len(mesh.cells))):
        levels = _levels(array, count)
        if levels is not None:
            values_by_level, steady = levels
            return FieldData(name, values_by_level, on_cells, steady)
    raise ValueError(
        f"The field {name!r} has the shape {array.shape}; allowed are (N,), (N, C), (T, N) and (T, N, C), after "
        f"leading axes of length one, with N = {len(mesh.points)} nodes or N = {len(mesh.cells)} cells. "
        "Evaluate it at all nodes, e.g. on variable('interior')."
    )


def _levels(array: np.ndarray, count: int) -> tuple[np.ndarray, bool] | None:
    """The values as `(T, count, C)` and whether they have no time axis."""
    shape = array.shape
    while len(shape) > 1 and shape[0] == 1 and count != 1:
        shape = shape[1:]
    array = array.reshape(shape)
    if array.ndim in (1, 2) and shape[0] == count:
        return array.reshape(1, count, -1), True
    if array.ndim in (2, 3) and shape[1] == count:
        return array.reshape(shape[0], count, -1), False
    return None


def checked_fields(fields: object, mesh: Mesh) -> list[FieldData]:
    """All fields of the user's mapping."""
    if not isinstance(fields, Mapping):
        raise TypeError(f"fields must be a dict name -> values; got {type(fields).__name__}.")
    return [checked_field(name, values, mesh) for name, values in fields.items()]


def _data(fields: list[FieldData], number: int, on_cells: bool) -> dict[str, np.ndarray]:
    return {field.name: field.level(number) for field in fields if field.on_cells is on_cells}


def write_solution(path: Path, kind: str, geometry: Geometry, mesh: Mesh, fields: list[FieldData]) -> None:
    """One file with the mesh, its tags and steady fields."""
    for field in fields:
        if not field.steady:
            raise ValueError(
                f"The field {field.name!r} has {len(field.values)} time levels, a .{kind} file holds one; export a "
                "time series to a .pvd file, or give one level."
            )
    write_vtk(path, kind, geometry, mesh, _data(fields, 0, False), _data(fields, 0, True))


def _checked_times(times: object, fields: list[FieldData], levels: Sequence[float] | None) -> list[float]:
    """The time of every level."""
    counts = {field.name: len(field.values) for field in fields if not field.steady}
    if not counts:
        raise ValueError("A .pvd time series needs a field of shape (T, N) or (T, N, C); export a steady one to .vtu.")
    n = next(iter(counts.values()))
    if set(counts.values()) != {n}:
        raise ValueError(f"All fields of a time series must have the same number of time levels; got {counts}.")
    series = levels if times is None else times
    values = np.arange(n, dtype=np.float64) if series is None else np.asarray(series, dtype=np.float64)
    if values.shape != (n,):
        raise ValueError(
            f"The fields have {n} time levels, but there are {values.size} times; give times= with one per level."
        )
    if not np.all(np.isfinite(values)):
        raise ValueError(f"The times of a series must be finite; got {values.tolist()}.")
    return [float(value) for value in values]


def write_series(
    path: Path,
    geometry: Geometry,
    mesh: Mesh,
    fields: list[FieldData],
    *,
    times: object,
    levels: Sequence[float] | None,
) -> None:
    """A `.pvd` collection and one `.vtu` file per time level beside it; when all of them are there, the collection."""
    rows = []
    for number, time in enumerate(_checked_times(times, fields, levels)):
        piece = path.with_name(f"{path.stem}_{number:04d}.vtu")
        write_vtk(piece, "vtu", geometry, mesh, _data(fields, number, False), _data(fields, number, True))
        if number == 0:  # an older collection would name pieces of two series
            path.unlink(missing_ok=True)
        rows.append(f'    <DataSet timestep="{time!r}" group="" part="0" file={quoteattr(piece.name)}/>\n')
    head = '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
    write_atomically(path, (head + "".join(rows) + "  </Collection>\n</VTKFile>\n").encode())
