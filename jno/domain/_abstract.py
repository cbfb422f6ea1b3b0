"""What every domain can do, as a table of contents: the bodies stand in the rooms."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import TypeVar

import numpy as np

from jno.trace import CELL_SIZE, Variable, bounds_of

from . import _regions, _variable, fields, io, sampling
from ._time import Time
from .geometry import GeometryBatch
from .sampling import DomainView, is_data, prefill, same_reading

A = TypeVar("A", bound="AbstractDomain")


class AbstractDomain(DomainView):
    """The methods that domains of meshes, point clouds and polygons share."""

    # -- points and data: _variable ----
    variable = _variable.variable
    __getitem__ = _variable.data_item
    sample = _variable.sample
    draw_candidates = sampling.draw_candidates
    context_for = _variable.context_for

    # -- regions: _regions ----
    tag = _regions.tag
    point_region = _regions.point_region
    quadrature = _regions.quadrature
    measure = _regions.measure

    # -- functions of the position: fields ----
    distance_function = fields.distance_function
    by_region = fields.by_region
    interpolate = fields.interpolate
    dirichlet_envelope = fields.dirichlet_envelope
    importance_weights = fields.importance_weights

    # -- symbols of weak forms: fields ----
    fem_symbols = fields.fem_symbols
    variational_symbols = fields.fem_symbols
    test_function = fields.test_function
    trial_function = fields.trial_function

    @property
    def cell_size(self) -> Variable:
        """The size of the cell that a quadrature point of a weak form lies in, ``|det J| ** (1 / D)``.

        ``J`` maps the reference simplex to the cell; on a boundary it is the cell of the facet. For terms of `jno.fem`
        only, e.g. stabilisations.
        """
        return Variable(CELL_SIZE, (0, 1), self)

    # -- files and pictures: io ----
    export = io.export
    export_vtk = io.export_vtk
    export_msh = io.export_msh
    export_interactive_html = io.export_interactive_html
    plot_mesh = io.plot_mesh
    plot = io.plot
    summary = io.summary
    _repr_html_ = io.markup

    # -- what depends on the kind of domain ----
    @abstractmethod
    def __add__(self: A, other: object) -> A:
        """The rows of two domains, or the union of the areas of two polygon domains."""

    # -- copies ----
    def copy(self: A) -> A:
        """An independent copy, samples included.

        Example:
            >>> import jno
            >>> jno.domain.line().copy().total_samples
            1
        """
        copy = object.__new__(type(self))
        copy._take_over(self)
        return copy

    def _take_over(self, domain: AbstractDomain) -> None:
        """Copy everything of another domain that is mutable; geometries are immutable."""
        self.batch = domain.batch
        self.time_axis = domain.time_axis
        self.samples = domain.samples.copy()
        self.algorithm = domain.algorithm
        self.compute_mesh_connectivity = domain.compute_mesh_connectivity
        self.parameters = dict(domain.parameters)
        self.arrays = {name: value.copy() for name, value in domain.arrays.items()}

    def _resized(self: A, batch: GeometryBatch, time_axis: Time | None) -> A:
        """A copy with other batch rows: user data is kept, sampled points are not."""
        resized = self.copy()
        resized.batch = batch
        resized.time_axis = time_axis
        resized.samples = resized.samples.without_points()
        for name in resized.samples.tensor_tags:
            resized.context[name] = same_reading(self.context[name], self.total_samples, resized.total_samples)
        prefill(resized)
        return resized

    def __mul__(self: A, n: object) -> A:
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
        return self._resized(self.batch.scaled(n), self.time_axis)

    __rmul__ = __mul__

    def __lt__(self: A, entry: object) -> A:
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

    @property
    def _time_text(self) -> str:
        return "" if self.time is None else f", time={self.time}"


@bounds_of.register
def _(candidate: object) -> tuple[tuple[float, float], ...] | None:
    return candidate.bounds if isinstance(candidate, AbstractDomain) else None
