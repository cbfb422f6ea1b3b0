"""How large the residuals on the points of a tag are, at any points of its region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Shaped

from jno.compiler import Program, shapes_with_more_points
from jno.compiler._data import prepare
from jno.trace import Node

from ._pointwise_residuals import residuals_on
from ._types import Data, Key, Modules

_LANES = 2**15
"""Points times time levels in one evaluation: bounds its memory."""


def check_independent(tag: str, program: Program) -> None:
    """Refuse constraints that pair the points of a tag with something else, which new points would no longer fit.

    Raises:
        ValueError: a constraint has no value at another number of these points.
    """
    try:
        shapes_with_more_points(program, 1, tag)
    except ValueError as error:
        raise ValueError(
            f"the points of {tag!r} cannot be resampled: a constraint combines them with something that has one row "
            "for every point, such as data or the points of another tag; give it as an expression of the coordinates. "
            f"{error}"
        ) from error


class Scorer:
    """The residuals of the constraints on one tag, evaluated at any points of its region.

    Args:
        tag: the tag.
        program: all constraints, on the data of the training.
        influence: return the influence of the points instead of their residuals.

    Raises:
        ValueError: no constraint has a residual on the points of this tag alone.
    """

    def __init__(self, tag: str, program: Program, *, influence: bool) -> None:
        self._tag = tag
        self._constraints = program
        residuals = residuals_on(tag, program.expressions, program.graph)
        pointwise = [node for node in residuals if _runs_over_points(_over_all_levels([node], program))]
        if not pointwise:
            raise ValueError(
                f"no constraint has a residual on the points of {tag!r} alone: write it as a mean over these points, "
                "such as residual.mse, or as a weighted sum of such means"
            )
        self._program = _over_all_levels(pointwise, program)
        self._values = eqx.filter_jit(self._influences if influence else self._residuals)
        self._gradient = eqx.filter_jit(self._total_gradient)

    def direction(self, modules: Mapping[int, PyTree], entries: Data, rows: Int[np.ndarray, " S"], key: Key) -> Modules:
        """The gradient of the total loss, which influences are measured against."""
        program = self._constraints
        data = {**_data_of(program, rows), **_cut(entries, program, rows)}
        return self._gradient(dict(modules), data, key)

    def __call__(
        self,
        modules: Mapping[int, PyTree],
        entries: Data,
        row: int,
        points: Float[np.ndarray, "M D"],
        normals: Float[np.ndarray, "M _"] | None,
        direction: Modules | None,
    ) -> tuple[Float[np.ndarray, "T M"], float]:
        """Score of every point at every time level, at most one, and what a score of one stands for.

        Every residual is divided by its largest value; a point has the largest of its residuals.  Values that are not
        finite count as zero.
        """
        rows = np.array([row])
        data = {**_data_of(self._program, rows), **_cut(entries, self._program, rows)}
        largest_chunk = max(1, _LANES // self._program.window)
        chunks = -(-len(points) // largest_chunk)
        size = -(-len(points) // chunks)
        inference = eqx.nn.inference_mode(dict(modules))
        parts = []
        for start in range(0, len(points), size):
            # the last chunk is filled up, so that all chunks are one compilation
            chunk = np.minimum(np.arange(start, start + size), len(points) - 1)
            at_points = self._entries_at(points[chunk], None if normals is None else normals[chunk], row)
            parts.append(np.asarray(self._values(inference, {**data, **at_points}, direction), dtype=np.float64))
        values = np.concatenate(parts, axis=-1)[..., : len(points)]
        values = np.where(np.isfinite(values), values, 0.0)
        largest = values.max(axis=(1, 2), keepdims=True)
        return (values / np.where(largest > 0.0, largest, 1.0)).max(axis=0), float(largest.max())

    def data_of(self, entries: Data, rows: Int[np.ndarray, " S"]) -> tuple[Data, Data]:
        """The newest data that all samples share, and that of some samples, `(S, 1, ...)`."""
        program = self._program
        data = {**_data_of(program, rows), **_cut(entries, program, rows)}
        batched = {name: array[:, None] for name, array in data.items() if name in program.layout.batched}
        numbers = {("sample", "number"): jnp.asarray(rows)}  # there is one where all share everything, too
        return {name: array for name, array in data.items() if name not in batched}, batched | numbers

    def normalised(
        self, modules: Modules, data: Data, points: Float[Array, "M D"], normals: Float[Array, "M _"] | None
    ) -> Float[Array, "T M"]:
        """The scores of a call as a pure function, for one sample; not for influences."""
        chunks = -(-len(points) // max(1, _LANES // self._program.window))
        size = -(-len(points) // chunks)
        numbers = jnp.minimum(jnp.arange(chunks * size), len(points) - 1).reshape(chunks, size)

        def values_of(chunk: Int[Array, " m"]) -> Float[Array, "R T m"]:
            at = {("points", self._tag): points[chunk][None, None]}
            at |= {} if normals is None else {("points", f"n_{self._tag}"): normals[chunk][None, None]}
            return self._residuals(modules, {**data, **at}, None)

        values = values_of(numbers[0]) if chunks == 1 else jnp.concatenate([*jax.lax.map(values_of, numbers)], axis=-1)
        values = jnp.where(jnp.isfinite(values), values, 0.0)[..., : len(points)]
        largest = jnp.max(values, axis=(1, 2), keepdims=True)
        return jnp.max(values / jnp.where(largest > 0.0, largest, 1.0), axis=0)

    def _entries_at(self, points: Float[np.ndarray, "M D"], normals: Float[np.ndarray, "M _"] | None, row: int) -> Data:
        at = {self._tag: points[None, None]} | ({} if normals is None else {f"n_{self._tag}": normals[None, None]})
        return entries_of(at, self._tag, self._program, row)

    # --- pure functions ---------------------------------------------------------------------------------------
    def _residuals(self, modules: Modules, data: Data, direction: Modules | None) -> Float[Array, "R T M"]:
        """Absolute values, over components their norm."""
        return jnp.sqrt(jnp.stack([_squares(value) for value in self._stacked(modules, data)]))

    def _influences(self, modules: Modules, data: Data, direction: Modules | None) -> Float[Array, "R T M"]:
        """Absolute derivatives of the squared residuals along the direction."""
        assert direction is not None  # `direction` gave it
        trained, frozen = self._split(modules)

        def squares(parameters: Modules) -> Float[Array, "R T M"]:
            values = self._stacked(eqx.combine(parameters, frozen), data)
            return jnp.stack([_squares(value) for value in values])

        along = {number: direction[number] for number in trained}
        return jnp.abs(jax.jvp(squares, (trained,), (along,))[1])

    def _total_gradient(self, modules: Modules, data: Data, key: Key) -> Modules:
        trained, frozen = self._split(modules)

        def total(parameters: Modules) -> Float[Array, ""]:
            values = self._constraints(eqx.combine(parameters, frozen), data, key)
            return jnp.mean(jnp.stack([jnp.mean(value) for value in values]))

        return jax.grad(total)(trained)

    def _split(self, modules: Modules) -> tuple[Modules, Modules]:
        frozen = {model.layer_id for model in self._constraints.models if model.controls.frozen}
        selected = {
            n: jax.tree_util.tree_map(lambda leaf, n=n: n not in frozen and eqx.is_inexact_array(leaf), module)
            for n, module in modules.items()
        }
        return eqx.partition(modules, selected)

    def _stacked(self, modules: Modules, data: Data) -> list[Shaped[Array, "T M ..."]]:
        """The residuals of one sample."""
        values = [value[0] for value in self._program(modules, data)]
        return [value if self._program.window > 1 else value[None] for value in values]


def entries_of(context: Mapping[str, Any], tag: str, program: Program, row: int | None = None) -> Data:
    """Points and normals of a tag as entries of a program's data, with their nearest nodes where it asks for them."""
    stencils = frozenset({tag} if ("nearest", tag) in program.layout.entries else ())
    _, arrays = prepare(context, program.domain, dict.fromkeys(context, "points"), stencils, {})
    if row is not None:
        arrays = {name: array[row : row + 1] if len(array) > 1 else array for name, array in arrays.items()}
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def _runs_over_points(program: Program) -> bool:
    """Whether the value of the one expression has one entry for each point, of any number of points."""
    axis = 2 if program.window > 1 else 1
    (shape,), (larger,) = (shapes_with_more_points(program, more) for more in (0, 1))
    return len(shape) > axis and len(larger) > axis and larger[axis] == shape[axis] + 1


def _over_all_levels(nodes: Sequence[Node], program: Program) -> Program:
    return Program(nodes, program.domain, window=None, context=program.context, graph=program.graph)


def _data_of(program: Program, rows: Int[np.ndarray, " S"]) -> Data:
    """The data of some samples."""
    batched = program.layout.batched
    shared = {name: source[:] for name, source in program.sources.items() if name not in batched}
    return {name: jnp.asarray(array) for name, array in (shared | program.rows(rows)).items()}


def _cut(entries: Data, program: Program, rows: Int[np.ndarray, " S"]) -> Data:
    """Newer entries for some samples."""
    batched = program.layout.batched
    return {
        name: array[rows] if name in batched else array
        for name, array in entries.items()
        if name in program.layout.entries
    }


def _squares(value: Shaped[Array, "T M ..."]) -> Float[Array, "T M"]:
    """Squares summed over the components."""
    square = jnp.abs(value) ** 2
    return square.sum(axis=tuple(range(2, square.ndim)))
