"""The residuals behind constraints that are mean squares: what least-squares optimizers need."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.compiler import PointRows, Program, point_rows_for
from jno.optimizers import jacobian
from jno.trace import Node, Reduction, WeightedMean

from ._types import Data, Key, Modules

ModulesOf: TypeAlias = Callable[[Float[Array, " P"]], Modules]
"""Complete modules by model id, from the trained numbers as one vector."""


class Residuals:
    """``sum(residuals**2)`` is the total loss.

    Args:
        program: constraints ``expression.mse``, each possibly times or divided by a positive number, where their
            residuals are needed.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._parts: dict[tuple[int, ...], _Part] = {}

    def __call__(
        self, modules: Modules, data: Data, key: Key | None, terms: Sequence[int | Node] | None = None
    ) -> Float[Array, " R"]:
        """Residuals as one vector; every constraint is the mean over its own.

        ``terms`` selects constraints: by position, or by themselves, or by the expression whose mean square they are.

        Raises:
            ValueError: a selected constraint that is not a mean square, a term that is not a constraint.
        """
        return self._part(terms)(modules, data, key)

    def jacobian(
        self,
        modules_of: ModulesOf,
        parameters: Float[Array, " P"],
        data: Data,
        key: Key | None,
        terms: Sequence[int | Node] | None = None,
    ) -> Float[Array, "R P"]:
        """Derivatives of the residuals of some terms, or of all, by parameters.

        Raises:
            ValueError: as a call.
        """
        return self._part(terms).jacobian(modules_of, parameters, data, key)

    def _part(self, terms: Sequence[int | Node] | None) -> _Part:
        roots = range(len(self._program.roots))
        positions = tuple(roots) if terms is None else tuple(sorted({self._position(term) for term in terms}))
        if positions not in self._parts:
            self._parts[positions] = _Part(self._program, positions)
        return self._parts[positions]

    def _position(self, term: int | Node) -> int:
        count = len(self._program.roots)
        if isinstance(term, int):
            if not 0 <= term < count:
                raise ValueError(f"gram_terms: there is no constraint {term}; positions are 0 to {count - 1}")
            return term
        interned = self._program.graph.intern(term)
        for number, (expression, root) in enumerate(zip(self._program.expressions, self._program.roots, strict=True)):
            if interned is expression or interned is root or interned is _target(root):
                return number
        raise ValueError(
            f"gram_terms: {term!r} is neither a constraint of this core nor an expression whose mean square is one; "
            "give the expression that the constraint was made of, or its position"
        )


class _Part:
    """The residuals of some constraints, weighted as in the total loss of all."""

    def __init__(self, program: Program, positions: Sequence[int]) -> None:
        squares = [_checked_mean_square(program.roots[number], number) for number in positions]
        self._weights = [square.weight / len(program.roots) for square in squares]
        self._targets = Program(
            [square.residual for square in squares],
            program.domain,
            window=program.window,
            context=program.context,
            graph=program.graph,
            precomputed=program.precomputed,
        )

    def __call__(self, modules: Modules, data: Data, key: Key | None) -> Float[Array, " R"]:
        values = self._targets(modules, data, key)
        parts = [_real_parts(v) * math.sqrt(w / v.size) for w, v in zip(self._weights, values, strict=True)]
        return jnp.concatenate(parts)

    def jacobian(
        self, modules_of: ModulesOf, parameters: Float[Array, " P"], data: Data, key: Key | None
    ) -> Float[Array, "R P"]:
        """Point by point where points do not influence each other; what couples them is differentiated together."""
        values = jax.eval_shape(lambda vector: self._targets(modules_of(vector), data, key), parameters)
        by_point = self._by_point
        blocks = {number: rows.jacobian(modules_of, parameters, data, key) for number, rows in by_point.items()}
        coupled = [number for number in range(len(self._weights)) if number not in by_point]
        blocks |= self._of_coupled(coupled, modules_of, parameters, data, key)
        scaled = [blocks[n] * math.sqrt(w / max(values[n].size, 1)) for n, w in enumerate(self._weights)]
        return jnp.concatenate(scaled)

    def _of_coupled(
        self,
        positions: Sequence[int],
        modules_of: ModulesOf,
        parameters: Float[Array, " P"],
        data: Data,
        key: Key | None,
    ) -> dict[int, Float[Array, "_ P"]]:
        if not positions:
            return {}
        program = self._targets.part(positions)

        def values(parameters: Float[Array, " P"]) -> tuple[Array, ...]:
            return tuple(_real_parts(value) for value in program(modules_of(parameters), data, key))

        sizes = [value.size for value in jax.eval_shape(values, parameters)]
        together = jacobian(lambda p: jnp.concatenate(values(p)), parameters)
        starts = [sum(sizes[:place]) for place in range(len(sizes))]
        return {
            number: together[start : start + size] for number, start, size in zip(positions, starts, sizes, strict=True)
        }

    @functools.cached_property
    def _by_point(self) -> dict[int, PointRows]:
        """By position, what can be differentiated point by point."""
        rows = {number: point_rows_for(self._targets.part([number])) for number in range(len(self._weights))}
        return {number: of_root for number, of_root in rows.items() if of_root is not None}


def _is_complex(value: jax.ShapeDtypeStruct | Array) -> bool:
    return jnp.issubdtype(value.dtype, jnp.complexfloating)


def _real_parts(value: Array) -> Array:
    """The numbers whose squares add up to the squared absolute values: of complex residuals both parts."""
    flat = jnp.ravel(value)
    return jnp.concatenate([flat.real, flat.imag]) if _is_complex(flat) else flat


def _target(root: Node) -> Node | None:
    """The expression whose mean square a constraint is."""
    square = _mean_square(root)
    return None if square is None else square.residual


@dataclasses.dataclass(frozen=True)
class _MeanSquare:
    """A constraint that is the mean square of a residual times a positive number."""

    weight: float
    residual: Node


def _mean_square(root: Node) -> _MeanSquare | None:
    mean = WeightedMean.of(root)
    if mean is None or not isinstance(mean.mean, Reduction) or mean.reduction != "mse" or mean.weight is None:
        return None
    return _MeanSquare(mean.weight, mean.residual)


def _checked_mean_square(root: Node, number: int) -> _MeanSquare:
    square = _mean_square(root)
    if square is None:
        raise ValueError(
            "this optimizer needs constraints that are mean squares, expression.mse, possibly times a positive number; "
            f"constraint {number} is {root!r}"
        )
    return square
