"""The class `jno.domain`.

>>> import jno
>>> jno.domain.rect(mesh_size=0.5).available_mesh_tags[:2]
['interior', 'boundary']
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ._sources import SourceOptions, geometry_from, is_region
from .geometry._geometry import Geometry
from .geometry._merge import (
    Group,
    merge_arrays,
    merge_data,
    merge_dimension,
    merge_parameters,
    merge_time,
    row_geometries,
    scale_groups,
)
from .io._exports import Exports
from .polygon._entry import PolygonEntry
from .sampling._access import SampleAccess
from .sampling._context import TIME_KEY, SampleRecord, SampleStore, materialise, time_levels
from .sampling._sampling import RandomStream
from .sampling._time import TimeAxis
from .sampling._variables import is_data, kept_reading
from .shapes._constructors import Constructors

_KEYWORDS = ("algorithm", "time", "compute_mesh_connectivity", "keep_orphan_nodes", "mesh_size")


class domain(Constructors, PolygonEntry, SampleAccess, Exports):
    """Where a problem lives: geometry, named regions (tags), time axis, batch rows, sampled points and data.

    Usually made by one of the constructors `line`, `rect`, `equi_distant_rect`, `poseidon`, `cube`, `disk`,
    `polygon`, `from_array`, …. Calling the class itself clones a domain, reads a file or meshes a drawn geometry.

    Args:
        constructor: another domain (a clone is made);
            the path of a mesh file (`.msh`, `.vtu`, `.vtk`, `.inp`, `.med` and what else meshio reads), whose
            physical groups or named sets become tags, beside `interior` (all cells) and `boundary`;
            the path of an `.npz` point cloud, in which every key is a tag and every value `(N, D)` points;
            the path of a CAD file (`.step`, `.brep`, `.iges`), whose faces become the tags `face_1`, `face_2`, …;
            or a callable that draws: `draw(geo)` gets an empty `gmsh.model`, uses `geo.occ` or `geo.geo`, and
            returns `(geo, dimension, mesh_size)`, or a `meshio.Mesh` in place of `geo`. Its physical groups become
            tags; without any, the faces (in the plane `edge_1`, …) do.
        algorithm: number of the meshing algorithm; default 6, or that of the cloned domain.
        time: `(t0, t1, n)` for `n` equidistant time levels; default steady, or the time axis of the cloned
            domain.
        compute_mesh_connectivity: whether `mesh_connectivity` is available; default true, or as in the cloned
            domain.
        keep_orphan_nodes: keep nodes of a mesh file (or `meshio.Mesh`) that no cell uses; default false: they are
            removed and the others renumbered.
        mesh_size: size of the elements for CAD files; default a twentieth of the diagonal of the bounding box.

    A clone shares nothing mutable with the original. It keeps the original's samples, unless `time` is given:
    then sampled points no longer fit and only user data (tensor tags, point data, parameters) is kept.

    Sampling draws from a private generator, `numpy.random.default_rng([seed, draw])` with `seed =
    jno.get_seed()` and `draw` counting the draws of this domain; NumPy's global generator is neither used nor
    changed.

    Raises:
        TypeError: unknown keyword.
        ValueError: no geometry, or one that cannot be understood; an invalid `time`.
        FileNotFoundError: the file does not exist.

    Example:
        >>> import jno
        >>> d = jno.domain.rect(mesh_size=0.25, time=(0.0, 1.0, 3))
        >>> x, y, t = d.variable("left")
        >>> d.context["left"].shape
        (1, 3, 5, 2)
    """

    __module__ = "jno.domain"

    def __new__(cls, constructor: Any = None, *_: Any, **keywords: Any) -> domain:
        """An instance of `jno.domain.csg` when polygons are given."""
        polygons = is_region(constructor) or (
            constructor is None and {"geometry", "regions", "vertices"} & set(keywords)
        )
        if cls is domain and polygons:
            from ._polygon_domain import PolygonDomain  # a subclass of this class

            return object.__new__(PolygonDomain)
        return object.__new__(cls)

    def __init__(
        self,
        constructor: Any = None,
        *,
        algorithm: int | None = None,
        time: Any = None,
        compute_mesh_connectivity: bool | None = None,
        keep_orphan_nodes: bool = False,
        mesh_size: Any = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise TypeError(f"jno.domain() got unknown keyword(s) {sorted(unknown)}; allowed: {list(_KEYWORDS)}.")
        if isinstance(constructor, domain):
            if keep_orphan_nodes or mesh_size is not None:
                raise ValueError("keep_orphan_nodes= and mesh_size= mean nothing for a clone; leave them out.")
            self._clone(constructor)
        else:
            options = SourceOptions(6 if algorithm is None else algorithm, keep_orphan_nodes, mesh_size)
            self._setup((Group(geometry_from(constructor, options), 1),), None)
        if algorithm is not None:
            self.algorithm = algorithm
        if compute_mesh_connectivity is not None:
            self.compute_mesh_connectivity = compute_mesh_connectivity
        if time is not None:
            self._axis = TimeAxis.from_spec(time)
            self._store = self._store.without_points()
            self._prefill()

    # -- construction ----
    def _setup(self, groups: tuple[Group, ...], axis: TimeAxis | None) -> None:
        self._groups = groups
        self._axis = axis
        self._store = SampleStore()
        self.algorithm = 6
        self.compute_mesh_connectivity = True
        self.parameters = {}
        self.arrays = {}
        self._prefill()

    def _clone(self, other: domain) -> None:
        """Take over everything from another domain; what is mutable is copied, geometries are immutable."""
        self._groups = other._groups
        self._axis = other._axis
        self._store = other._store.copy()
        self.algorithm = other.algorithm
        self.compute_mesh_connectivity = other.compute_mesh_connectivity
        self.parameters = dict(other.parameters)
        self.arrays = {name: value.copy() for name, value in other.arrays.items()}

    @classmethod
    def _from_geometry(
        cls, geometry: Geometry, *, algorithm: int, time: Any, compute_mesh_connectivity: bool
    ) -> domain:
        made = domain.__new__(domain)
        made._setup((Group(geometry, 1),), TimeAxis.from_spec(time))
        made.algorithm = algorithm
        made.compute_mesh_connectivity = compute_mesh_connectivity
        return made

    @classmethod
    def _from_groups(cls, groups: tuple[Group, ...], stream: RandomStream) -> domain:
        made = domain.__new__(domain)
        made._setup(groups, None)
        made._store.stream = stream
        return made

    def _resized(self, groups: tuple[Group, ...], axis: TimeAxis | None) -> domain:
        """A copy with other batch rows: user data is kept, sampled points are not."""
        made = self.copy()
        made._groups = groups
        made._axis = axis
        made._store = made._store.without_points()
        for name in made._store.tensor_tags:
            made.context[name] = kept_reading(self.context[name], self.total_samples, made.total_samples)
        made._prefill()
        return made

    def _prefill(self) -> None:
        """Put into the context what is there before anything is sampled: the times, and the point sets of a cloud.

        A polygon without a mesh has neither: its context is empty until it is sampled.
        """
        if self.mesh is not None or self._geometry.is_cloud:
            self._store.context.setdefault(TIME_KEY, time_levels(self._axis, None))
        if not all(group.geometry.is_cloud for group in self._groups):
            return
        for name in self.available_mesh_tags:
            if len({len(group.geometry.tags[name].nodes) for group in self._groups}) == 1:
                request = SampleRecord(name, name)
                materialise(self._store, row_geometries(self._groups), self._axis, request, quiet=True)
                self._store.prefilled.add(name)

    def copy(self) -> domain:
        """An independent copy, samples included.

        Example:
            >>> import jno
            >>> jno.domain.line().copy().total_samples
            1
        """
        made = object.__new__(type(self))
        made._clone(self)
        return made

    def __repr__(self) -> str:
        time = "" if self._axis is None else f", time={self.time}"
        return f"domain({self.dimension}-D, {len(self.points)} points, tags={self.available_mesh_tags}{time})"

    # -- batching ----
    def __mul__(self, n: Any) -> domain:
        """A copy with `n` times as many batch rows; the original is unchanged.

        Each row draws its own points when a count or sampler is given; whole point sets are shared by all
        rows. The copy keeps the user's data but none of the sampled points: call `variable` on the copy.

        Raises:
            ValueError: `n` is not a positive integer.

        Example:
            >>> import jno
            >>> d = 4 * jno.domain.rect()
            >>> x, y, t = d.variable("interior", (10, None))
            >>> d.context["interior"].shape
            (4, 1, 10, 2)
        """
        return self._resized(scale_groups(self._groups, n), self._axis)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> domain:
        """A new domain whose batch rows are those of `self` followed by those of `other`.

        Without a count, every row gets as many points of a tag as the smallest of the geometries has.
        Parameters become one value per row, data with one row per batch row is stacked; sampled points are
        not carried over.

        Raises:
            TypeError: `other` is not a domain.
            ValueError: different dimensions, time axes or parameter names; data that cannot be combined.

        Example:
            >>> import jno
            >>> d = 3 * jno.domain.rect() + 2 * jno.domain.rect((0, 2))
            >>> d.total_samples
            5
        """
        if not isinstance(other, domain):
            raise TypeError(f"Only a domain can be added to a domain; got {type(other).__name__}.")
        if (self._geometry.lazy is None) != (other._geometry.lazy is None):
            raise TypeError(
                "A polygon domain and another kind of domain cannot be added: for polygons + means the union of their "
                "areas, for others it stacks batch rows. Use jno.domain.stack(...) for rows of several polygons."
            )
        merge_dimension(self.dimension, other.dimension)
        rows = (self.total_samples, other.total_samples)
        made = self._resized(self._groups + other._groups, merge_time(self._axis, other._axis))
        made.compute_mesh_connectivity = self.compute_mesh_connectivity and other.compute_mesh_connectivity
        made.parameters = merge_parameters(self.parameters, other.parameters, rows)
        made.arrays = merge_arrays(self.arrays, other.arrays)
        store, first, second = made._store, self._store, other._store
        store.tensor_tags = first.tensor_tags | second.tensor_tags
        store.data_tags = first.data_tags | second.data_tags
        for name in sorted(store.tensor_tags | store.data_tags):
            store.context[name] = merge_data(name, first.context.get(name), second.context.get(name), rows)
        return made

    def __lt__(self, entry: Any) -> domain:
        """`domain < (name, value)` sets a parameter (a number) or an array (a list, tuple or array).

        Raises:
            ValueError: `entry` is not `(name, value)` with a value of these types.

        Example:
            >>> import jno
            >>> d = jno.domain.line() < ("nu", 0.01)
            >>> d.parameters
            {'nu': 0.01}
        """
        if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[0], str):
            raise ValueError(f"domain < (name, value) needs a pair with a string name; got {entry!r}.")
        name, value = entry
        if isinstance(value, Real):
            self.parameters[name] = float(value)
        elif isinstance(value, (list, tuple)) or is_data(value):
            self.arrays[name] = np.asarray(value)
        else:
            raise ValueError(f"The value of {name!r} must be a number, list, tuple or array; got {value!r}.")
        return self
