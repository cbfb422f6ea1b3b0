"""Element vectors and matrices of one term, by automatic differentiation of its integrand.

The integrand is a function of what is tabulated of test, trial and coefficient fields at quadrature points.  It is
linear in the test functions, so its derivative by them are the coefficients that multiply the basis functions in the
residual, and the derivative of those by the trial fields are the coefficients of the matrix.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Float, Int

from jno.compiler import Channel, PointFunction, constant_zeros
from jno.domain.mesh import Mesh
from jno.elements import DofMap, facet_points, reference_rule
from jno.trace import FieldValue

from ._regions import Region

BLOCK = 1024
"""Cells that are worked on together; one block fits into the cache of a processor core."""

Tabulated = dict[FieldValue, dict[Channel, Float[Array, "_ _ _"]]]
"""Field → its derivatives at the quadrature points of a block of elements."""

LocalValues = Sequence[Mapping[int, Float[Array, "_ _ _ _"]]]
"""Of every unknown and coefficient field: order of the derivative by time → degrees of freedom of every element."""


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Where a problem is evaluated.

    Attributes:
        unknowns: the vector of all degrees of freedom and its first and second derivative by time.
        time: the time.
        modules: modules by ``Model.layer_id``.
        data: arrays by tag.
        lags: whether lagged coefficients have no derivative.
    """

    unknowns: Sequence[Float[Array, " N"]]
    time: ArrayLike
    modules: Mapping[int, Any]
    data: Mapping[str, Any]
    lags: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Elements:
    """The elements of a region, in blocks of equal length; the last block is filled up with copies that do not count.

    Attributes:
        vertices: coordinates of the vertices of every cell.
        weights: 1, or 0 for a copy; on a boundary the measure of the facet.
        opposite: position of the vertex off the facet, on a boundary.
        normals: outward normals, on a boundary.
        numbers: cell of every element.
        count: number of elements that count.
    """

    vertices: Float[np.ndarray, "B E V D"]
    weights: Float[np.ndarray, "B E"]
    opposite: Int[np.ndarray, "B E"] | None
    normals: Float[np.ndarray, "B E D"] | None
    numbers: Int[np.ndarray, "B E"]
    count: int


def elements_of(region: Region, mesh: Mesh) -> Elements:
    """The elements of a volume or a boundary in blocks."""
    count = len(region.cells)
    size = min(BLOCK, count)
    blocks = -(-count // size)
    padded = np.minimum(np.arange(blocks * size), count - 1).reshape(blocks, size)
    real = (np.arange(blocks * size) < count).reshape(blocks, size).astype(np.float64)
    cells = np.sort(mesh.cells[region.cells], axis=1)[padded]
    surface = region.opposite is not None
    measures = region.measures[padded] if region.measures is not None else 1.0
    return Elements(
        mesh.points[cells],
        real * measures,
        region.opposite[padded] if surface and region.opposite is not None else None,
        region.normals[padded] if region.normals is not None else None,
        region.cells[padded],
        count,
    )


class BasisTable:
    """Derivatives of the basis functions of an element at the quadrature points of a block of cells.

    Args:
        nodes: the element and where its nodes lie.
        points: quadrature points of the reference cell; on a boundary those on each of its facets.
        channels: which derivatives will be read.
        dtype: of the arrays.
    """

    def __init__(
        self, nodes: DofMap, points: Sequence[Float[np.ndarray, "Q D"]], channels: Sequence[Channel], dtype: DTypeLike
    ) -> None:
        dimension = nodes.element.dimension
        orders = {len(channel.space) for channel in channels}
        derivatives = [o for n in sorted(orders) for o in itertools.combinations_with_replacement(range(dimension), n)]
        tables = [nodes.element.tabulate(place, derivatives) for place in points]
        self._dimension = dimension
        self._reference = {o: np.stack([table[o] for table in tables]).astype(dtype) for o in derivatives}

    def derivative(
        self, space: tuple[int, ...], inverse: Float[Array, "D D E"], facets: Int[Array, " E"] | None
    ) -> Float[Array, "n Q E"]:
        """A derivative by physical coordinates.

        Args:
            space: columns that are differentiated by.
            inverse: reference coordinate ``k`` by physical coordinate ``d``.
            facets: which facet of its cell every element is, on a boundary.
        """
        if not space:
            return self._at((), facets, inverse.shape[2])
        terms = []
        for columns in itertools.product(range(self._dimension), repeat=len(space)):
            factor = functools.reduce(jnp.multiply, [inverse[k, d] for k, d in zip(columns, space, strict=True)])
            terms.append(self._at(tuple(sorted(columns)), facets, inverse.shape[2]) * factor)
        return functools.reduce(jnp.add, terms)

    def _at(self, order: tuple[int, ...], facets: Int[Array, " E"] | None, count: int) -> Float[Array, "n Q E"]:
        table = self._reference[order]
        if facets is None:
            return jnp.broadcast_to(jnp.asarray(table[0])[:, :, None], (*table[0].shape, count))
        return jnp.moveaxis(jnp.asarray(table)[facets], 0, -1)


@dataclasses.dataclass(frozen=True, eq=False)
class MatrixCoefficient:
    """A derivative of a component of a test function that the matrix has a coefficient for."""

    test: FieldValue
    channel: Channel
    component: int


Couplings = dict[tuple[FieldValue, Channel, int], list[MatrixCoefficient]]
"""Unknown, its derivative and component → the derivatives of tests that it is multiplied with."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Geometry:
    """A block of elements on the device."""

    points: Float[Array, "D Q E"]
    inverse: Float[Array, "D D E"]
    weights: Float[Array, "Q E"]
    facets: Int[Array, " E"] | None
    normals: Float[Array, "D Q E"] | None
    sizes: Float[Array, "Q E"]


class TermIntegral:
    """The integral of a term over its region, element by element.

    Args:
        function: the integrand.
        tests: its test functions, with their nodes.
        trials: its unknowns, with their nodes.
        coefficients: its coefficient fields, with their nodes.
        channels: derivatives of every field that the integrand reads.
        region: where it lives.
        mesh: the mesh.
        degree: polynomial degree that the quadrature integrates exactly.
        dtype: of all arrays.
        modules: modules by ``Model.layer_id``, for abstract evaluation.
        data: arrays by tag, for abstract evaluation.
    """

    def __init__(
        self,
        function: PointFunction,
        tests: Mapping[FieldValue, DofMap],
        trials: Mapping[FieldValue, DofMap],
        coefficients: Mapping[FieldValue, DofMap],
        channels: Mapping[FieldValue, Sequence[Channel]],
        region: Region,
        mesh: Mesh,
        degree: int,
        dtype: DTypeLike,
        modules: Mapping[int, Any],
        data: Mapping[str, Any],
    ) -> None:
        self.function, self.tests, self.trials, self.coefficients = function, tests, trials, coefficients
        self.channels = channels
        self.elements = elements_of(region, mesh)
        self._dtype = np.dtype(dtype)
        surface = region.kind == "surface"
        rule = reference_rule(mesh.dimension - surface, degree)
        places = [rule.points]
        if surface:
            places = [facet_points(rule.points, vertex) for vertex in range(mesh.dimension + 1)]
        self._places = np.stack(places).astype(self._dtype)
        self._rule_weights = rule.weights.astype(self._dtype)
        self._tables = {
            field: BasisTable(nodes, places, channels[field], self._dtype)
            for field, nodes in {**tests, **trials, **coefficients}.items()
        }
        self.nonzero = self._couplings(modules, data)
        """Unknown, its derivative and component → what of the tests it is multiplied with."""
        self.pairs = [
            (test, trial)
            for test in tests
            for trial in trials
            if any(key[0] is trial and entry.test is test for key, entries in self.nonzero.items() for entry in entries)
        ]
        """Test functions and unknowns that the matrix couples."""

    # --- one block ------------------------------------------------------------------------------------------------
    def _geometry(self, block: Mapping[str, Any]) -> _Geometry:
        vertices = jnp.moveaxis(block["vertices"], 0, -1)  # (V, D, E)
        edges = vertices[1:] - vertices[:1]  # reference coordinate k, column d
        facets = block.get("opposite")
        inverse, determinant = inverses(edges)
        if facets is None:
            reference = jnp.broadcast_to(self._places[0].T[:, :, None], (*self._places[0].T.shape, edges.shape[2]))
            measure = jnp.abs(determinant) / _factorial(edges.shape[0])
        else:
            reference = jnp.moveaxis(jnp.asarray(self._places)[facets], (0, 1, 2), (2, 1, 0))
            measure = jnp.ones_like(determinant)
        points = vertices[0][:, None] + jnp.sum(reference[:, None] * edges[:, :, None], axis=0)
        weights = jnp.asarray(self._rule_weights)[:, None] * (measure * block["weights"])
        normals = block.get("normals")
        if normals is not None:
            normals = jnp.broadcast_to(normals.T[:, None], points.shape)
        sizes = jnp.broadcast_to(jnp.abs(determinant) ** (1.0 / edges.shape[0]), weights.shape)
        return _Geometry(points, inverse, weights, facets, normals, sizes)

    def _basis(self, field: FieldValue, geometry: _Geometry) -> dict[Channel, Float[Array, "n Q E"]]:
        spaces = {channel.space for channel in self.channels[field]}
        derivatives = {s: self._tables[field].derivative(s, geometry.inverse, geometry.facets) for s in spaces}
        return {channel: derivatives[channel.space] for channel in self.channels[field]}

    def _coefficients_of_tests(
        self, geometry: _Geometry, state: State, trials: Tabulated, coefficients: Tabulated
    ) -> Tabulated:
        """What multiplies every derivative of every test function under the integral."""
        count = geometry.weights.size
        points = geometry.points.reshape(geometry.points.shape[0], -1).T
        normals = None if geometry.normals is None else geometry.normals.reshape(geometry.points.shape[0], -1).T
        fixed = {field: _flat(table) for field, table in {**trials, **coefficients}.items()}

        def integrand(arrays: Sequence[Sequence[Array]]) -> Array:
            tests = {
                f: dict(zip(self.channels[f], row, strict=True)) for f, row in zip(self.tests, arrays, strict=True)
            }
            fields = {**fixed, **tests}
            sizes = geometry.sizes.reshape(-1, 1)
            value = self.function(
                points, normals, state.time, fields, state.modules, state.data, sizes, lags=state.lags
            )
            return self.function.scalar(value, count)

        # lists: fields have no order, by which dictionaries would be flattened
        zeros = [
            [jnp.zeros((count, field.field.components), self._dtype) for _ in self.channels[field]]
            for field in self.tests
        ]
        value, pull_back = jax.vjp(integrand, zeros)
        (pulled,) = pull_back(jnp.ones_like(value))
        shape = geometry.weights.shape
        return {
            f: {c: array.T.reshape(-1, *shape) for c, array in zip(self.channels[f], row, strict=True)}
            for f, row in zip(self.tests, pulled, strict=True)
        }

    def _tabulate(self, geometry: _Geometry, block: Mapping[str, Any]) -> tuple[Tabulated, Tabulated]:
        table: Tabulated = {}
        for field, local in zip((*self.trials, *self.coefficients), block["local"], strict=True):
            basis = self._basis(field, geometry)
            table[field] = {c: jnp.einsum("nqe,enc->cqe", basis[c], local[c.time]) for c in self.channels[field]}
        return {f: table[f] for f in self.trials}, {f: table[f] for f in self.coefficients}

    def vectors(self, block: Mapping[str, Any], state: State) -> list[Float[Array, "_ _ _"]]:
        """Element vectors of a block, for every test function."""
        geometry = self._geometry(block)
        trials, coefficients = self._tabulate(geometry, block)
        factors = self._coefficients_of_tests(geometry, state, trials, coefficients)
        return [self._contracted(self._basis(f, geometry), factors[f], geometry) for f in self.tests]

    def _contracted(
        self, basis: Mapping[Channel, Array], factors: Mapping[Channel, Array], geometry: _Geometry
    ) -> Float[Array, "E n C"]:
        terms = [jnp.einsum("nqe,cqe->enc", basis[c], factors[c] * geometry.weights) for c in factors]
        return functools.reduce(jnp.add, terms)

    def matrices(
        self, block: Mapping[str, Any], state: State, weights: Float[Array, " 3"]
    ) -> list[Float[Array, "_ _ _ _ _"]]:
        """Element matrices of a block, derivatives of the vectors by the unknowns: of every pair, tests outside.

        Args:
            block: arrays of the block.
            state: where.
            weights: what the derivatives by unknowns, their first and their second derivative by time are summed with.
        """
        geometry = self._geometry(block)
        trials, coefficients = self._tabulate(geometry, block)
        bases = {f: self._basis(f, geometry) for f in (*self.tests, *self.trials)}
        columns = {
            trial: [
                self._columns(trial, number, geometry, state, (trials, coefficients), weights, bases)
                for number in range(trial.field.components)
            ]
            for trial in self.trials
        }
        return [jnp.stack([column[test] for column in columns[trial]], axis=3) for test, trial in self.pairs]

    def _columns(
        self,
        trial: FieldValue,
        component: int,
        geometry: _Geometry,
        state: State,
        tables: tuple[Tabulated, Tabulated],
        weights: Float[Array, " 3"],
        bases: Mapping[FieldValue, Mapping[Channel, Array]],
    ) -> dict[FieldValue, Float[Array, "_ _ _ _"]]:
        """Element matrices of one component of an unknown: rows for every test function."""
        trials, coefficients = tables
        shape = geometry.weights.shape
        sizes = {f: (len(next(iter(bases[f].values()))), f.field.components) for f in (*self.tests, trial)}
        totals = {
            test: jnp.zeros((*sizes[test], sizes[trial][0], shape[1]), self._dtype)
            for test in self.tests
            if (test, trial) in self.pairs
        }
        for channel in self.channels[trial]:
            entries = self.nonzero.get((trial, channel, component), [])
            if not entries:
                continue
            tangent = self._tangent(trial, channel, component, geometry, state, trials, coefficients)
            right = bases[trial][channel] * (weights[channel.time] * geometry.weights)
            for test, total in totals.items():
                totals[test] = total + self._rows(test, entries, tangent, right, bases[test], total.shape)
        return totals

    def _rows(
        self,
        test: FieldValue,
        entries: Sequence[MatrixCoefficient],
        tangent: Tabulated,
        right: Float[Array, "_ Q E"],
        basis: Mapping[Channel, Array],
        shape: tuple[int, ...],
    ) -> Float[Array, "_ _ _ _"] | float:
        """Rows of a test function: sums over its derivatives and over the quadrature points."""
        rows: list[Array | float] = []
        for component in range(test.field.components):
            factors = [e.channel for e in entries if e.test is test and e.component == component]
            if not factors:
                rows.append(jnp.zeros((shape[0], *shape[2:]), self._dtype))
                continue
            left = functools.reduce(jnp.add, [basis[c] * tangent[test][c][component] for c in factors])
            products = [left[:, None, q] * right[None, :, q] for q in range(right.shape[1])]
            rows.append(functools.reduce(jnp.add, products))
        return jnp.stack(rows, axis=1)

    def _tangent(
        self,
        trial: FieldValue,
        channel: Channel,
        component: int,
        geometry: _Geometry,
        state: State,
        trials: Tabulated,
        coefficients: Tabulated,
    ) -> Tabulated:
        """Derivative of the coefficients of the tests by one derivative of one component of an unknown."""

        def perturbed(amount: Float[Array, "Q E"]) -> list[list[Array]]:
            array = trials[trial][channel]
            shifted = array.at[component].add(amount)
            changed = {**trials, trial: {**trials[trial], channel: shifted}}
            table = self._coefficients_of_tests(geometry, state, changed, coefficients)
            return [[table[test][c] for c in self.channels[test]] for test in self.tests]

        zero = jnp.zeros(geometry.weights.shape, self._dtype)
        _, tangent = jax.jvp(perturbed, (zero,), (jnp.ones_like(zero),))
        return {
            test: dict(zip(self.channels[test], row, strict=True))
            for test, row in zip(self.tests, tangent, strict=True)
        }

    def _couplings(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Couplings:
        """Which coefficients of the matrix are not zero everywhere, from the jaxpr of the integrand's derivatives."""
        block = {name: array[0, :2] for name, array in self._arrays().items()}
        fields = (*self.trials, *self.coefficients)
        orders = [{c.time for c in self.channels[field]} for field in fields]
        count = block["weights"].shape[0]
        local = [
            {
                order: np.ones((count, self._nodes_per_cell(field), field.field.components), self._dtype)
                for order in sorted(times)
            }
            for field, times in zip(fields, orders, strict=True)
        ]
        keys = [(f, c, n) for f in self.trials for c in self.channels[f] for n in range(f.field.components)]

        def tangents(block: Mapping[str, Any], time: Array, weights: Any, values: Any) -> list[list[list[Array]]]:
            geometry = self._geometry(block)
            trials, coefficients = self._tabulate(geometry, block)
            state = State((), time, weights, values)
            tables = [self._tangent(*key, geometry, state, trials, coefficients) for key in keys]
            return [[[table[test][c] for c in self.channels[test]] for test in self.tests] for table in tables]

        dynamic, static = eqx.partition(modules, eqx.is_inexact_array)
        arguments = ({**block, "local": local}, np.zeros((), self._dtype), dynamic, dict(data))
        zero = constant_zeros(lambda b, t, w, v: tangents(b, t, eqx.combine(w, static), v), arguments)
        nonzero: dict[tuple[FieldValue, Channel, int], list[MatrixCoefficient]] = {}
        flat = iter(zero)
        for key in keys:
            for test in self.tests:
                for channel in self.channels[test]:
                    rows_are_zero = next(flat)
                    entries = [
                        MatrixCoefficient(test, channel, row)
                        for row, is_zero in enumerate(rows_are_zero)
                        if not is_zero
                    ]
                    nonzero.setdefault(key, []).extend(entries)
        return nonzero

    # --- all blocks -----------------------------------------------------------------------------------------------
    def over_blocks(self, function: Callable[[Mapping[str, Any]], Any], local: LocalValues) -> Any:
        """``function`` of every block, results stacked; blocks follow one another, so their memory is used again."""
        arrays: dict[str, Any] = {**self._arrays(), "local": local}
        if len(self.elements.numbers) == 1:
            only = jax.tree_util.tree_map(lambda array: jnp.asarray(array)[0], arrays)
            return jax.tree_util.tree_map(lambda array: array[None], function(only))
        return jax.lax.map(jax.checkpoint(function), arrays)

    def _arrays(self) -> dict[str, np.ndarray]:
        """What every block needs of its elements."""
        elements = self.elements
        arrays = {
            "vertices": elements.vertices.astype(self._dtype),
            "weights": elements.weights.astype(self._dtype),
        }
        if elements.opposite is not None and elements.normals is not None:
            arrays["opposite"] = elements.opposite.astype(np.int32)
            arrays["normals"] = elements.normals.astype(self._dtype)
        return arrays

    def _nodes_per_cell(self, field: FieldValue) -> int:
        return {**self.tests, **self.trials, **self.coefficients}[field].nodes.shape[1]

    def nodes(self, field: FieldValue) -> Int[np.ndarray, "B E n"]:
        """Nodes of a field in every element."""
        maps = {**self.tests, **self.trials, **self.coefficients}
        return maps[field].nodes[self.elements.numbers]


def _flat(table: Mapping[Channel, Float[Array, "_ Q E"]]) -> dict[Channel, Float[Array, "N _"]]:
    return {channel: array.reshape(array.shape[0], -1).T for channel, array in table.items()}


def inverses(edges: Float[Array, "D D E"]) -> tuple[Float[Array, "D D E"], Float[Array, " E"]]:
    """Inverse of the map from the reference cell, ``inverse[k, d]`` = d(reference k)/d(physical d), and determinant.

    Args:
        edges: physical coordinate ``d`` by reference coordinate ``k``, ``edges[k, d]``.
    """
    match edges.shape[0]:
        case 1:
            return 1.0 / edges, edges[0, 0]
        case 2:
            determinant = edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0]
            rows = [jnp.stack([edges[1, 1], -edges[1, 0]]), jnp.stack([-edges[0, 1], edges[0, 0]])]
            return jnp.stack(rows) / determinant, determinant
        case _:
            a, b, c = (edges[k] for k in range(3))
            rows = [jnp.cross(b, c, axis=0), jnp.cross(c, a, axis=0), jnp.cross(a, b, axis=0)]
            determinant = jnp.sum(a * rows[0], axis=0)
            return jnp.stack(rows) / determinant, determinant


def _factorial(number: int) -> int:
    return (1, 1, 2, 6)[number]
