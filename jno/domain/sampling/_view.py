"""What a domain holds, and what can be read of it: geometry, time, batch rows and sampled arrays."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from jno.utils import TEXT, Logger, checked, get_logger, start_configured_cache

from .._time import Time, TimeInterval
from ..geometry import Geometry, GeometryBatch
from ..mesh import Mesh, MeshConnectivity
from ._record import INITIAL, TIME_KEY, Request, SampleRecord
from ._store import SampleStore, time_levels

V = TypeVar("V", bound="DomainView")
_AXES = ("x", "y", "z")


class DomainView(ABC):
    """The state of a domain and its read-only views. Of a merged domain the geometry is that of its first row.

    Attributes:
        batch: the geometry of every batch row; immutable, replaced when a tag is added or a mesh is built.
        time_axis: the time levels, or the interval in which points have times; `None` for a steady domain.
        samples: the sampled points and the data.
        algorithm: number of the meshing algorithm.
        compute_mesh_connectivity: whether `mesh_connectivity` is available.
        parameters: parameters by name.
        arrays: arrays by name.
    """

    batch: GeometryBatch
    time_axis: Time | None
    samples: SampleStore
    algorithm: int
    compute_mesh_connectivity: bool
    parameters: dict[str, Any]
    arrays: dict[str, np.ndarray]

    # -- construction ----
    @classmethod
    def from_batch(cls: type[V], batch: GeometryBatch, time_axis: Time | None = None) -> V:
        """A domain on a batch of geometries, without samples; point sets of clouds are there from the start."""
        domain = object.__new__(cls)
        domain._begin(batch, time_axis)
        return domain

    def _begin(self, batch: GeometryBatch, time_axis: Time | None) -> None:
        """Set all attributes to those of a new domain."""
        start_configured_cache()  # a domain is what most scripts make first
        self.batch = batch
        self.time_axis = time_axis
        self.samples = SampleStore()
        self.algorithm = 6
        self.compute_mesh_connectivity = True
        self.parameters = {}
        self.arrays = {}
        prefill(self)

    # -- geometry ----
    @property
    def geometry(self) -> Geometry:
        """The geometry of the first batch row: its points, its mesh and its tags."""
        return self.batch.leading

    @property
    def mesh(self) -> Mesh | None:
        """The mesh, `None` for a point cloud."""
        return self.geometry.mesh

    @property
    def integrates_by_mean(self) -> bool:
        """Whether integrals over regions are means over their points: shapes that are never meshed."""
        return all(geometry.lazy is not None and not geometry.lazy.can_mesh for geometry in self.batch.distinct)

    @property
    def built_mesh(self) -> Mesh:
        """The mesh; a domain without one raises `RuntimeError`."""
        if self.geometry.mesh is None:
            raise RuntimeError(
                "This domain is a point cloud and has no mesh; use jno.domain.rect() or another shape."
                if self.geometry.lazy is None
                else self.geometry.lazy.meshless
            )
        return self.geometry.mesh

    @property
    def points(self) -> Float[np.ndarray, "N D"]:
        """Coordinates of all nodes `(N, D)`."""
        return self.geometry.points

    @property
    def dimension(self) -> int:
        """Number of space dimensions `D`; time is not counted."""
        return self.geometry.dimension

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Least and largest value of every coordinate over all batch rows, `((x_min, x_max), ...)`; time is the last.

        A domain without a time axis has no entry for it.

        Example:
            >>> import jno
            >>> jno.domain.rect(x_range=(0, 2), y_range=(-1, 1), mesh_size=0.5, time=(0, 10, 3)).bounds
            ((0.0, 2.0), (-1.0, 1.0), (0.0, 10.0))
        """
        boxes = np.asarray([geometry.bounds for geometry in self.batch.distinct])
        space = tuple(zip(boxes[:, 0].min(axis=0).tolist(), boxes[:, 1].max(axis=0).tolist(), strict=True))
        return space if self.time_axis is None else (*space, (self.time_axis.start, self.time_axis.stop))

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
        return self.geometry.ds

    @property
    def _grid_shape(self) -> tuple[int, ...] | None:
        return self.geometry.grid_shape

    @property
    def mesh_connectivity(self) -> MeshConnectivity | None:
        """Elements, neighbours and nodal measures as a dictionary, computed at first use.

        `None` for a point cloud and with `compute_mesh_connectivity=False`.
        """
        return self._connectivity_of(self.geometry)

    @property
    def meshes(self) -> list[MeshConnectivity | None]:
        """Mesh connectivity of every distinct geometry."""
        return [self._connectivity_of(geometry) for geometry in self.batch.distinct]

    def _connectivity_of(self, geometry: Geometry) -> MeshConnectivity | None:
        if not self.compute_mesh_connectivity or geometry.connectivity is None:
            return None
        return geometry.connectivity.value

    # -- tags ----
    @property
    def available_mesh_tags(self) -> list[str]:
        """Tags that every merged geometry has; after meshing, those of the mesh."""
        return self.batch.tags

    @property
    def tag_indices(self) -> dict[str, Int[np.ndarray, " n"]]:
        """Tag -> node ids, in the order of the tag's points."""
        return {name: tag.nodes for name, tag in self.geometry.tags.items()}

    @property
    def normals_by_tag(self) -> dict[str, Float[np.ndarray, "n D"]]:
        """Boundary tag -> unit outward normals at its points."""
        return {name: tag.normals for name, tag in self.geometry.tags.items() if tag.normals is not None}

    @property
    def _boundary_registry(self) -> dict[str, dict[str, Any]]:
        return self.geometry.boundary_registry()

    def boundary_tags(self) -> list[str]:
        """Sorted tags of the boundary regions; of a polygon without a mesh those of its shape.

        Example:
            >>> import jno
            >>> jno.domain.line().boundary_tags()
            ['boundary', 'left', 'right']
        """
        geometry = self.geometry
        if geometry.mesh is None:
            return sorted(name for name in geometry.names if geometry.is_boundary(name))
        return sorted(self._boundary_registry)

    @property
    def _mesh_pool(self) -> dict[str, np.ndarray]:
        """Tag -> all points, `(N, D)`, or `(T, N, D)` on a time-dependent domain."""
        pools: dict[str, np.ndarray] = {name: self.geometry.pool(name) for name in self.geometry.tags}
        if self.time_axis is None:
            return pools
        levels = {name: np.broadcast_to(pool, (self.time_axis.n, *pool.shape)) for name, pool in pools.items()}
        if "interior" in pools:
            levels[INITIAL] = pools["interior"][None]
        return levels

    @property
    def sampled_tags(self) -> list[str]:
        """Every tag that `variable` accepts."""
        tags = self.available_mesh_tags
        tags += [name for name in self.batch.drawable if name not in tags]
        return [*tags, INITIAL] if self.time_axis is not None and "interior" in tags else tags

    # -- time ----
    @property
    def time(self) -> tuple[float, float, int] | tuple[float, float] | Float[np.ndarray, " T"] | None:
        """What `time=` was: `(t0, t1, n)`, an array of levels or `(t0, t1)`; `None` for a steady domain."""
        return None if self.time_axis is None else self.time_axis.spec

    @property
    def _time_points(self) -> Float[np.ndarray, " T"] | None:
        return None if self.time_axis is None else self.time_axis.levels

    @checked(tag=TEXT)
    def has_times(self, tag: str) -> bool:
        """Whether every point of a context key has a time of its own, the last column of the points."""
        record = self.samples.find(tag)
        return record is not None and record.times is not None

    @property
    def is_time_dependent(self) -> bool:
        """Whether the domain has a time."""
        return self.time_axis is not None

    # -- batch ----
    @property
    def total_samples(self) -> int:
        """Number of batch rows `B`."""
        return self.batch.size

    @property
    def same_domain(self) -> bool:
        """Whether all batch rows live on one geometry."""
        return len(self.batch.distinct) == 1

    @property
    def mesh_numbers(self) -> Int[np.ndarray, " B"]:
        """Batch row -> number of its geometry in `meshes`; rows on the same geometry share it."""
        return self.batch.geometry_numbers

    @property
    def _sub_domains(self) -> list[MeshConnectivity | None]:
        """Mesh connectivity of every merged geometry after the first."""
        return [self._connectivity_of(group.geometry) for group in self.batch.groups[1:]]

    @property
    def _batch_domain_map(self) -> Int[np.ndarray, " B"]:
        """Batch row -> number of its geometry; 0 is the first, `k` belongs to `_sub_domains[k - 1]`."""
        return self.batch.group_numbers

    # -- sampled arrays ----
    @property
    def context(self) -> dict[str, Any]:
        """All sampled arrays by key: points `(B, T, N, D)`, normals `n_<tag>`, `__time__` `(T, 1)`, data.

        Points with times of their own are `(B, 1, N, D + 1)`.
        """
        return self.samples.context

    @property
    def sample_dict(self) -> Sequence[SampleRecord]:
        """One record per point set of the context."""
        return self.samples.records

    @property
    def point_tags(self) -> frozenset[str]:
        """Context keys that hold points."""
        return frozenset(record.tag for record in self.samples.records) | frozenset(self.samples.data_tags)

    @checked(tag=TEXT)
    def point_set(self, tag: str) -> str:
        """Name of the point set of a context key: matched point sets have one, data that is given at points has none.

        Args:
            tag: key of the context.

        Returns:
            The key of the first of the matched point sets, `""` for data.
        """
        record = self.samples.find(tag)
        if record is None:
            return ""
        return record.tag if record.like is None else record.like

    @checked(tag=TEXT)
    def is_resampled(self, tag: str) -> bool:
        """Whether the points of a context key are replaced during training."""
        record = self.samples.find(tag)
        return record is not None and record.resampling_strategy is not None

    @property
    def normal_tags(self) -> frozenset[str]:
        """Context keys that hold normals."""
        return frozenset(record.normal_tag for record in self.samples.records if record.normals)

    @property
    def point_data_tags(self) -> frozenset[str]:
        """Context keys of points given by the user, ``variable(name, array, point_data=True)``."""
        return frozenset(self.samples.data_tags)

    @property
    def tensor_tags(self) -> frozenset[str]:
        """Context keys that hold data given by the user."""
        return frozenset(self.samples.tensor_tags)

    @property
    def _param_tags(self) -> frozenset[str]:
        return self.tensor_tags

    @property
    def log(self) -> Logger:
        """The logger."""
        return get_logger()


def unknown_tag(domain: DomainView, tag: object) -> ValueError:
    """The error for a tag that is not a region of the domain."""
    data = sorted(domain.samples.user_data)
    lazy = domain.geometry.lazy
    hint = "" if lazy is None else lazy.hint(tag)
    return ValueError(f"Unknown tag {tag!r}.{hint} Tags of this domain: {domain.sampled_tags}; data: {data}.")


def prefill(domain: DomainView) -> None:
    """Put into the context what is there before anything is sampled: the times, and the point sets of a cloud.

    A polygon without a mesh has neither: its context is empty until it is sampled.
    """
    store, batch = domain.samples, domain.batch
    if domain.mesh is not None or domain.geometry.is_cloud:
        store.context.setdefault(TIME_KEY, time_levels(domain.time_axis, None))
    if not batch.every(lambda geometry: geometry.is_cloud) or isinstance(domain.time_axis, TimeInterval):
        return
    for name in batch.tags:
        # clouds of different sizes would lose points without having been asked
        if len({len(geometry.tags[name].nodes) for geometry in batch.distinct}) == 1:
            store.materialise(batch, domain.time_axis, Request(name), quiet=True)
            store.prefilled.add(name)
