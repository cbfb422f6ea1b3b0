"""What can be read from a domain: geometry, time, batch rows and sampled arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jno.utils import get_logger

from ..geometry._geometry import Geometry
from ..geometry._merge import Groups, distinct_geometries
from ..mesh._mesh import Mesh
from ._context import INITIAL, SampleRecord, SampleStore
from ._time import TimeAxis

_AXES = ("x", "y", "z")


class Attributes:
    """Read-only views. On a merged domain everything about the geometry describes the first one."""

    _groups: Groups
    _axis: TimeAxis | None
    _store: SampleStore
    compute_mesh_connectivity: bool
    parameters: dict[str, Any]
    arrays: dict[str, Any]

    # -- geometry ----
    @property
    def _geometry(self) -> Geometry:
        return self._groups[0].geometry

    @property
    def mesh(self) -> Mesh | None:
        """The mesh, `None` for a point cloud."""
        return self._geometry.mesh

    @property
    def built_mesh(self) -> Mesh:
        """The mesh; a domain without one raises `RuntimeError`."""
        if self._geometry.mesh is None:
            raise RuntimeError(
                "This domain is a point cloud and has no mesh; use jno.domain.rect() or another shape."
                if self._geometry.is_cloud
                else "This polygon domain has no mesh yet; call build_mesh(mesh_size)."
            )
        return self._geometry.mesh

    @property
    def points(self) -> Float[np.ndarray, "N D"]:
        """Coordinates of all nodes `(N, D)`."""
        return self._geometry.points

    @property
    def dimension(self) -> int:
        """Number of space dimensions `D`; time is not counted."""
        return self._geometry.dimension

    @property
    def spatial(self) -> list[str]:
        """Names of the space coordinates."""
        count = self.dimension
        return list(_AXES[:count]) if count <= len(_AXES) else [f"x{i}" for i in range(count)]

    @property
    def indep(self) -> list[str]:
        """Names of the independent variables, the time last."""
        return [*self.spatial, "t"]

    @property
    def ds(self) -> float | None:
        """Mesh size, `None` for a point cloud."""
        return self._geometry.ds

    @property
    def _grid_shape(self) -> tuple[int, ...] | None:
        return self._geometry.grid_shape

    @property
    def mesh_connectivity(self) -> Any:
        """Elements, neighbours and nodal measures as a dictionary, computed at first use.

        `None` for a point cloud and with `compute_mesh_connectivity=False`.
        """
        return self._connectivity_of(self._geometry)

    def _connectivity_of(self, geometry: Geometry) -> Any:
        if not self.compute_mesh_connectivity or geometry.connectivity is None:
            return None
        return geometry.connectivity.value

    # -- tags ----
    @property
    def available_mesh_tags(self) -> list[str]:
        """Tags that every merged geometry has; after meshing, those of the mesh."""
        shared = [group.geometry.names for group in self._groups[1:]]
        return [name for name in self._geometry.names if all(name in names for names in shared)]

    @property
    def tag_indices(self) -> dict[str, Int[np.ndarray, " n"]]:
        """Tag -> node ids, in the order of the tag's points."""
        return {name: tag.nodes for name, tag in self._geometry.tags.items()}

    @property
    def normals_by_tag(self) -> dict[str, Float[np.ndarray, "n D"]]:
        """Boundary tag -> unit outward normals at its points."""
        return {name: tag.normals for name, tag in self._geometry.tags.items() if tag.normals is not None}

    @property
    def _boundary_registry(self) -> dict[str, dict[str, Any]]:
        return self._geometry.boundary_registry()

    def boundary_tags(self) -> list[str]:
        """Sorted tags of the boundary regions; of a polygon without a mesh those of its shape.

        Example:
            >>> import jno
            >>> jno.domain.line().boundary_tags()
            ['boundary', 'left', 'right']
        """
        geometry = self._geometry
        if geometry.mesh is None:
            return sorted(name for name in geometry.names if geometry.is_boundary(name))
        return sorted(self._boundary_registry)

    @property
    def _mesh_pool(self) -> dict[str, np.ndarray]:
        """Tag -> all points, `(N, D)`, or `(T, N, D)` on a time-dependent domain."""
        pools: dict[str, np.ndarray] = {name: self._geometry.pool(name) for name in self._geometry.tags}
        if self._axis is None:
            return pools
        levels = {name: np.broadcast_to(pool, (self._axis.n, *pool.shape)) for name, pool in pools.items()}
        if "interior" in pools:
            levels[INITIAL] = pools["interior"][None]
        return levels

    def _pool_tags(self) -> list[str]:
        """Every tag that `variable` accepts."""
        tags = self.available_mesh_tags
        drawable = frozenset.intersection(*(group.geometry.drawable for group in self._groups))
        tags += [name for name in sorted(drawable) if name not in tags]
        return [*tags, INITIAL] if self._axis is not None and "interior" in tags else tags

    # -- time ----
    @property
    def time(self) -> tuple[float, float, int] | None:
        """`(t0, t1, n)`, `None` for a steady domain."""
        return None if self._axis is None else self._axis.spec

    @property
    def _time_points(self) -> Float[np.ndarray, " T"] | None:
        return None if self._axis is None else self._axis.levels

    @property
    def is_time_dependent(self) -> bool:
        """Whether the domain has a time axis."""
        return self._axis is not None

    # -- batch ----
    @property
    def total_samples(self) -> int:
        """Number of batch rows `B`."""
        return sum(group.rows for group in self._groups)

    @property
    def same_domain(self) -> bool:
        """Whether all batch rows live on one geometry."""
        return all(group.geometry is self._geometry for group in self._groups)

    @property
    def _sub_domains(self) -> list[Any]:
        """Mesh connectivity of every merged geometry after the first."""
        return [self._connectivity_of(group.geometry) for group in self._groups[1:]]

    @property
    def _batch_domain_map(self) -> Int[np.ndarray, " B"]:
        """Batch row -> number of its geometry; 0 is the first, `k` belongs to `_sub_domains[k - 1]`."""
        return np.repeat(np.arange(len(self._groups)), [group.rows for group in self._groups])

    @property
    def _row_mesh(self) -> Int[np.ndarray, " B"]:
        """Batch row -> number of its geometry in `_meshes`; rows on the same geometry share it."""
        return distinct_geometries(self._groups)[1]

    @property
    def _meshes(self) -> list[Any]:
        """Mesh connectivity of every distinct geometry."""
        return [self._connectivity_of(geometry) for geometry in distinct_geometries(self._groups)[0]]

    # -- sampled arrays ----
    @property
    def context(self) -> dict[str, Any]:
        """All sampled arrays by key: points `(B, T, N, D)`, normals `n_<tag>`, `__time__` `(T, 1)`, data."""
        return self._store.context

    @property
    def sample_dict(self) -> Sequence[SampleRecord]:
        """One record per point set of the context."""
        return self._store.records

    @property
    def point_tags(self) -> frozenset[str]:
        """Context keys that hold points."""
        return frozenset(record.tag for record in self._store.records) | frozenset(self._store.data_tags)

    def point_set(self, tag: str) -> str:
        """Name of the point set of a context key: matched point sets have one, data that is given at points has none.

        Args:
            tag: key of the context.

        Returns:
            The key of the first of the matched point sets, `""` for data.
        """
        record = self._store.find(tag)
        if record is None:
            return ""
        return record.tag if record.like is None else record.like

    def is_resampled(self, tag: str) -> bool:
        """Whether the points of a context key are replaced during training."""
        record = self._store.find(tag)
        return record is not None and record.resampling_strategy is not None

    @property
    def normal_tags(self) -> frozenset[str]:
        """Context keys that hold normals."""
        return frozenset(f"n_{record.tag}" for record in self._store.records if record.normals)

    @property
    def point_data_tags(self) -> frozenset[str]:
        """Context keys of points given by the user, ``variable(name, array, point_data=True)``."""
        return frozenset(self._store.data_tags)

    @property
    def tensor_tags(self) -> frozenset[str]:
        """Context keys that hold data given by the user."""
        return frozenset(self._store.tensor_tags)

    @property
    def _param_tags(self) -> frozenset[str]:
        return self.tensor_tags

    @property
    def log(self) -> Any:
        """The logger."""
        return get_logger()
