"""`System`: the assembled equations of a weak problem as functions of the unknowns, the time and the modules."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Bool, Float, Int

from jno.compiler import PointFunction
from jno.domain import domain as Domain
from jno.domain.mesh import Mesh
from jno.trace import FieldValue, Model

from ._conditions import Condition
from ._integral import State, TermIntegral
from ._pattern import Couplings, build_pattern
from ._spaces import Space


@dataclasses.dataclass(frozen=True, eq=False)
class AssembledTerm:
    """A term, where its element vectors and matrices belong, and where its fields have their values from.

    Attributes:
        integral: the term.
        rows: degrees of freedom of every test function in every element.
        columns: those of every unknown.
        nodes: nodes of every coefficient field.
        sources: what has the values of every coefficient field: a function of modules and data, or an array.
    """

    integral: TermIntegral
    rows: list[Int[np.ndarray, "_ _ _"]]
    columns: list[Int[np.ndarray, "_ _ _"]]
    nodes: list[Int[np.ndarray, "_ _ _"]]
    sources: list[PointFunction | Float[np.ndarray, " _"]]

    @property
    def pairs(self) -> list[tuple[Int[np.ndarray, "_ _ _"], Int[np.ndarray, "_ _ _"]]]:
        """Degrees of freedom of the test functions and unknowns that the matrix couples."""
        rows = dict(zip(self.integral.tests, self.rows, strict=True))
        columns = dict(zip(self.integral.trials, self.columns, strict=True))
        return [(rows[test], columns[trial]) for test, trial in self.integral.pairs]


class System:
    """Residual and matrix of a weak problem.

    Args:
        domain: the domain.
        mesh: its mesh.
        spaces: the unknowns.
        terms: the assembled terms.
        conditions: the essential conditions, later ones win.
        dtype: of all arrays.
    """

    def __init__(
        self,
        domain: Domain,
        mesh: Mesh,
        spaces: Sequence[Space],
        terms: Sequence[AssembledTerm],
        conditions: Sequence[Condition],
        dtype: DTypeLike,
    ) -> None:
        self.domain, self.mesh = domain, mesh
        self.spaces, self.terms, self.conditions = tuple(spaces), tuple(terms), tuple(conditions)
        self.dtype = np.dtype(dtype)
        self.size = spaces[-1].start + spaces[-1].size
        self.prescribed = self._prescribed()
        couplings = [
            Couplings(rows.reshape(-1, rows.shape[2]), columns.reshape(-1, columns.shape[2]))
            for term in self.terms
            for rows, columns in term.pairs
        ]
        self.pattern, positions = build_pattern(couplings, self.size, self.prescribed)
        self._places = self._by_term(positions)

    def _prescribed(self) -> Bool[np.ndarray, " N"]:
        mask = np.zeros(self.size, dtype=bool)
        for condition in self.conditions:
            mask[condition.dofs] = True
        for space in self.spaces:
            unused = np.ones(space.nodes.count, dtype=bool)
            unused[space.nodes.nodes] = False
            # a point of the mesh that no cell uses has no equation
            mask[space.dofs(np.flatnonzero(unused))] = True
        return mask

    def _by_term(self, positions: Sequence[Int[np.ndarray, "_ _ _"]]) -> list[list[Int[np.ndarray, "_ _ _ _"]]]:
        remaining = list(positions)
        grouped = []
        for term in self.terms:
            group = []
            for rows, _ in term.pairs:
                place = remaining.pop(0)
                group.append(place.reshape(*rows.shape[:2], *place.shape[1:]))
            grouped.append(group)
        return grouped

    # --- what the equations read ----------------------------------------------------------------------------------
    @property
    def models(self) -> tuple[Model, ...]:
        """The models in terms and conditions."""
        models: dict[Model, None] = {}
        for term in self.terms:
            models.update(dict.fromkeys(term.integral.function.models))
            for source in term.sources:
                if isinstance(source, PointFunction):
                    models.update(dict.fromkeys(source.models))
        for condition in self.conditions:
            models.update(dict.fromkeys(condition.models))
        return tuple(models)

    @property
    def free(self) -> Bool[np.ndarray, " N"]:
        """Degrees of freedom that are not prescribed."""
        return ~self.prescribed

    def values(self, time: ArrayLike, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Float[Array, " N"]:
        """The prescribed values at their degrees of freedom, zero elsewhere."""
        vector = jnp.zeros(self.size, self.dtype)
        for condition in self.conditions:
            values = condition.values(time, modules, data, self.dtype).astype(self.dtype)
            vector = vector.at[condition.dofs].set(values)
        return vector

    # --- assembly -------------------------------------------------------------------------------------------------
    def residual(self, state: State) -> Float[Array, " N"]:
        """The sum of all terms, for every test function; conditions are not applied."""
        total = jnp.zeros(self.size, self.dtype)
        for term in self.terms:
            blocks = term.integral.over_blocks(
                functools.partial(term.integral.vectors, state=state), self._local(term, state)
            )
            for rows, values in zip(term.rows, blocks, strict=True):
                total = total.at[rows].add(values.reshape(rows.shape))
        return total

    def matrix(self, state: State, weights: Float[Array, " 3"]) -> Float[Array, " nnz"]:
        """Entries of the derivative of the residual by the unknowns, with unit rows for what is prescribed.

        Args:
            state: where.
            weights: of the derivatives by the unknowns and by their first and second derivative by time.
        """
        total = jnp.zeros(self.pattern.entries + 1, self.dtype)
        for term, places in zip(self.terms, self._places, strict=True):
            if not places:
                continue
            blocks = term.integral.over_blocks(
                functools.partial(term.integral.matrices, state=state, weights=weights), self._local(term, state)
            )
            for place, values in zip(places, blocks, strict=True):
                size = values.shape[-1]
                entries = jnp.moveaxis(values.reshape(len(place), *place.shape[2:], size), -1, 1)
                total = total.at[place].add(entries)
        return total[:-1].at[self.pattern.diagonal[self.prescribed]].set(1.0)

    def _local(self, term: AssembledTerm, state: State) -> list[dict[int, Float[Array, "_ _ _ _"]]]:
        """Degrees of freedom of the fields of a term, element by element."""
        local: list[dict[int, Array]] = []
        for field, columns in zip(term.integral.trials, term.columns, strict=True):
            orders = {channel.time for channel in term.integral.channels[field]}
            shape = (*columns.shape[:2], -1, field.field.components)
            local.append({order: state.unknowns[order][columns].reshape(shape) for order in sorted(orders)})
        for field, nodes, source in zip(term.integral.coefficients, term.nodes, term.sources, strict=True):
            values = self._coefficient(source, field, state)
            local.append({0: values[nodes]})
        return local

    def _coefficient(
        self, source: PointFunction | Float[np.ndarray, " _"], field: FieldValue, state: State
    ) -> Float[Array, "n C"]:
        if isinstance(source, PointFunction):
            points = jnp.zeros((1, self.mesh.dimension), self.dtype)
            array = source(points, None, state.time, {}, state.modules, state.data).array
        else:
            array = jnp.asarray(source)
        return array.astype(self.dtype).reshape(-1, field.field.components)
