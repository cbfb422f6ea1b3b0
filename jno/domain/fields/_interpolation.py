"""Piecewise linear functions on a mesh, as functions of arrays of coordinates."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jno.utils import PATH, read_npy, shown_path

from ..mesh import Mesh


@dataclasses.dataclass(frozen=True, eq=False)
class MeshInterpolant:
    """The continuous function that is linear on every simplex and has given values at the nodes.

    Outside the mesh the linear function of the nearest simplex among those nearby goes on.

    Attributes:
        cells: node ids `(M, D + 1)`.
        origins: first node of every simplex `(M, D)`.
        inverses: matrices `(M, D, D)` that take the vector from it to barycentric coordinates.
        low: corner of the box around the mesh `(D,)`.
        widths: edges of the boxes it is cut into `(D,)`.
        counts: number of boxes along every axis.
        nearby: the simplices that meet a box, `(boxes, K)`, some of them repeated.
        values: `(nodes,)` or `(nodes, C)`; None: the last argument of a call.
        nodes: number of nodes of the mesh.
    """

    cells: Int[np.ndarray, "M V"]
    origins: Float[np.ndarray, "M D"]
    inverses: Float[np.ndarray, "M D D"]
    low: Float[np.ndarray, " D"]
    widths: Float[np.ndarray, " D"]
    counts: tuple[int, ...]
    nearby: Int[np.ndarray, "B K"]
    values: np.ndarray | None
    nodes: int

    def __call__(self, *arguments: Any) -> Shaped[Array, "N C"]:
        """Values `(N, C)` at coordinates `(N, 1)`."""
        *coordinates, values = (*arguments, self.values) if self.values is not None else arguments
        points = jnp.concatenate(jnp.broadcast_arrays(*coordinates), axis=-1)
        table = jnp.asarray(values, None if jnp.iscomplexobj(values) else points.dtype)
        if table.size % self.nodes:
            raise ValueError(
                f"interpolate: the mesh has {self.nodes} nodes, and the values have the shape {table.shape}"
            )
        table = table.reshape(self.nodes, -1)
        cell = self._cell(jax.lax.stop_gradient(points))
        weights = self._barycentric(points, cell)
        return jnp.sum(weights[..., None] * table[jnp.asarray(self.cells)[cell]], axis=1)

    def _cell(self, points: Float[Array, "N D"]) -> Int[Array, " N"]:
        """Number of the simplex each point lies in `(N,)`."""
        offset = (points - jnp.asarray(self.low, points.dtype)) / jnp.asarray(self.widths, points.dtype)
        box = jnp.clip(jnp.floor(offset).astype(int), 0, jnp.asarray(self.counts) - 1)
        number = jnp.zeros(len(points), int)
        for axis, count in enumerate(self.counts):
            number = number * count + box[:, axis]
        candidates = jnp.asarray(self.nearby)[number]
        depth = jnp.min(self._barycentric(points[:, None], candidates), axis=-1)
        return jnp.take_along_axis(candidates, jnp.argmax(depth, axis=1)[:, None], axis=1)[:, 0]

    def _barycentric(self, points: Float[Array, "*#N D"], cell: Int[Array, "*#N"]) -> Float[Array, "*N V"]:
        """Barycentric coordinates `(..., D + 1)`."""
        offset = points - jnp.asarray(self.origins, points.dtype)[cell]
        later = jnp.sum(jnp.asarray(self.inverses, points.dtype)[cell] * offset[..., None, :], axis=-1)
        return jnp.concatenate([1.0 - jnp.sum(later, axis=-1, keepdims=True), later], axis=-1)


def mesh_interpolant(mesh: Mesh, values: np.ndarray | None) -> MeshInterpolant:
    """The interpolant of nodal values, with about as many boxes as simplices."""
    corners = mesh.points[mesh.cells]
    edges = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    dimension = mesh.dimension
    edge = (np.prod(high - low) / len(mesh.cells)) ** (1.0 / dimension)
    counts = np.maximum(1, np.round((high - low) / edge)).astype(int)
    widths = (high - low) / counts
    nearby = _nearby(corners, low, widths, counts)
    sizes, nodes = tuple(counts.tolist()), len(mesh.points)
    return MeshInterpolant(mesh.cells, corners[:, 0], np.linalg.inv(edges), low, widths, sizes, nearby, values, nodes)


def _nearby(
    corners: Float[np.ndarray, "M V D"], low: np.ndarray, widths: np.ndarray, counts: np.ndarray
) -> Int[np.ndarray, "B K"]:
    """The simplices whose bounding box meets a box; of an empty box the one nearest to its centre."""
    from scipy.spatial import cKDTree

    slack = 1e-6  # of a box: points on its faces are rounded to either side
    lowest = np.clip(np.floor((corners.min(axis=1) - low) / widths - slack), 0, counts - 1).astype(int)
    highest = np.clip(np.floor((corners.max(axis=1) - low) / widths + slack), 0, counts - 1).astype(int)
    members: list[list[int]] = [[] for _ in range(int(np.prod(counts)))]
    for cell, (start, stop) in enumerate(zip(lowest, highest, strict=True)):
        ranges = [np.arange(a, b + 1) for a, b in zip(start, stop, strict=True)]
        for number in np.ravel_multi_index(np.meshgrid(*ranges, indexing="ij"), counts).ravel():
            members[number].append(cell)
    tree = cKDTree(corners.mean(axis=1))
    most = max(map(len, members))
    nearby = np.empty((len(members), most), dtype=np.int32)
    for place, cells in enumerate(members):
        centre = low + widths * (np.asarray(np.unravel_index(place, counts)) + 0.5)
        nearby[place] = np.resize(cells or [int(tree.query(centre)[1])], most)
    return nearby


def nodal_values(source: object, mesh: Mesh, field: str | None) -> np.ndarray:
    """Values at the nodes of a mesh, from an array or a file: `(nodes,)` or `(nodes, C)`.

    Raises:
        ValueError: not one value (or row) per node, entries that are not finite, an unknown field, or a file with the
            values of other points.
    """
    if isinstance(source, str | Path):
        PATH.require(source, "interpolate(values)")
        source = _read(Path(source), mesh, field)
    elif field is not None:
        raise ValueError(f"interpolate(field={field!r}) names the data of a mesh file, and the values are an array.")
    array = np.asarray(source)
    if array.dtype.kind not in "iufcb" or array.ndim not in (1, 2) or len(array) != len(mesh.points):
        raise ValueError(
            f"interpolate(values) needs one number, or one row, for each of the {len(mesh.points)} nodes of the mesh, "
            f"in the order of domain.points; got shape {array.shape}, dtype {array.dtype}. Values at other points "
            "come to the nodes by scipy.interpolate.RBFInterpolator(places, values)(domain.points)."
        )
    if not np.all(np.isfinite(array)):
        raise ValueError("interpolate(values): there are values that are not finite.")
    return array


def _read(path: Path, mesh: Mesh, field: str | None) -> Any:
    """Nodal values of a `.npy` file, or point data of a mesh file."""
    if path.suffix == ".npy":
        return read_npy(path, f"interpolate({shown_path(path)!r}): the file")
    from ..io import meshio_mesh

    data = meshio_mesh(path, f"interpolate({shown_path(path)!r}): the file")
    if field is None and len(data.point_data) == 1:
        field = next(iter(data.point_data))
    if field not in data.point_data:
        raise ValueError(
            f"interpolate({shown_path(path)!r}): field={field!r}, and the file has {sorted(data.point_data)}."
        )
    return np.asarray(data.point_data[field])[_places(np.asarray(data.points), mesh, path)]


def _places(points: np.ndarray, mesh: Mesh, path: Path) -> np.ndarray:
    """Where the nodes of the mesh are among the points of a file."""
    from scipy.spatial import cKDTree

    name = shown_path(path)
    distance, places = cKDTree(points[:, : mesh.dimension]).query(mesh.points)
    size = float(np.linalg.norm(np.ptp(mesh.points, axis=0)))
    if np.max(distance) > 1e-6 * size:
        raise ValueError(
            f"interpolate({name!r}): the file has no point at some nodes of this domain's mesh (the furthest is "
            f"{np.max(distance):.3g} away). Build the domain from that file, jno.domain({name!r}), or interpolate "
            "to domain.points first, e.g. by scipy.interpolate.griddata."
        )
    return places
