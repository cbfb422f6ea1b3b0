"""A test whether expressions are means over points: on a few points, and on equal parts of these.

What training on some of the points needs is that the loss of all of them is the mean of the losses of its parts.  The
trace cannot show it where networks and functions are opaque.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from ._perturbed_weights import PERTURBATIONS, perturbed_weights
from ._point_sets import JointPoints
from ._program import Program
from ._types import Name

_PARTS = 4
_PART_SIZES = (13, 11, 17, 19, 23)
"""Points of a part: the first number that, with its product by the parts, is no length of another axis."""

_TOLERANCE = 1e-4
"""Largest difference of a mean from that of its parts, in units of the parts; rounding is a hundredth of it."""

_ROUNDINGS = 4.0
"""Where numbers are shorter, what is allowed at least, in units in the last place."""

_ROUNDING = 10.0
"""Largest difference that is put down to rounding, in units of what a rounding of the coordinates changes."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The mean of every expression on all points, and on each part."""

    all_points: Float[np.ndarray, " E"]
    parts: Float[np.ndarray, "P E"]
    rounding: Float[np.ndarray, " E"]
    """What rounding may change in a mean; all of an expression that is zero everywhere."""
    tolerance: float
    """Largest difference of means, in units of their size."""

    @property
    def means(self) -> Bool[np.ndarray, " E"]:
        """Which expressions are means: the parts have the value of the whole on average."""
        return self._averages_to(self.all_points)

    @property
    def sums(self) -> Bool[np.ndarray, " E"]:
        """Which expressions are sums: every part has its share of the whole."""
        return self._averages_to(self.all_points / _PARTS) & ~self.means

    def _averages_to(self, expected: Float[np.ndarray, " E"]) -> Bool[np.ndarray, " E"]:
        size = np.abs(self.parts).mean(axis=0)
        unknown = ~np.isfinite(self.all_points) | ~np.isfinite(size)  # training will say so
        with np.errstate(invalid="ignore"):
            difference = np.abs(self.parts.mean(axis=0) - expected)
            return np.asarray(unknown | (difference <= self.tolerance * size + self.rounding))


class PartitionTest:
    """Evaluates expressions on a few of their points and on parts of these.

    Args:
        program: the expressions.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        rows = program.rows(range(min(2, program.layout.samples)))
        self._arrays: dict[Name, np.ndarray] = {
            name: np.asarray(rows[name] if name in rows else source[:]) for name, source in program.sources.items()
        }
        self._modules = {model.layer_id: _without_dropout(model.module) for model in program.models}
        self._tolerance = max(_TOLERANCE, _ROUNDINGS * _precision(program))
        self._part = _part_size([*self._arrays.values(), *jax.tree_util.tree_leaves(self._modules)])

    def compared(self, sets: Sequence[JointPoints]) -> Comparison:
        """All expressions on some points of these sets and on their parts, with weights that are no special case.

        Raises:
            ValueError, TypeError, IndexError: shapes that do not go together.
        """
        comparison = self._compared(sets, max(PERTURBATIONS))
        if np.isfinite(comparison.all_points).all():
            return comparison
        return self._compared(sets, 0.0)  # a root of a parameter, say

    def _compared(self, sets: Sequence[JointPoints], perturbation: float) -> Comparison:
        generator = np.random.default_rng(0)
        some: dict[Name, np.ndarray] = {}
        pieces: dict[Name, np.ndarray] = {}
        for points in sets:
            places = _places(points.count, _PARTS * self._part, generator)
            # what follows from the points is computed anew here
            for array in (array for array in points.arrays if array.name in self._arrays):
                rows = np.take(self._arrays[array.name], places, axis=array.axis)
                parts = np.stack(np.split(rows, _PARTS, axis=array.axis))
                some[array.name] = rows
                pieces[array.name] = np.concatenate([parts, _jittered(parts, generator)])
        shared = {name: array for name, array in self._arrays.items() if name not in some}

        def means(arrays: Mapping[Name, Any]) -> Float[Array, " E"]:
            values = self._program(perturbed_weights(self._modules, perturbation), {**shared, **arrays}, None)
            return jnp.stack([jnp.real(jnp.mean(value)) for value in values])

        evaluate = jax.jit(lambda some, pieces: (means(some), jax.lax.map(means, pieces)))
        whole, of_pieces = (np.asarray(array, dtype=float) for array in evaluate(some, pieces))
        of_parts, of_jittered = np.split(of_pieces, 2)
        with np.errstate(invalid="ignore"):
            rounding = _ROUNDING * np.abs(of_jittered - of_parts).mean(axis=0)
        return Comparison(whole, of_parts, rounding, self._tolerance)


def _places(count: int, size: int, generator: np.random.Generator) -> Int[np.ndarray, " size"]:
    """Some points, in no order; where there are fewer, copies of a point are neighbours, so that parts differ."""
    order = generator.permutation(count)
    return np.sort(np.resize(order, size)) if count < size else order[:size]


def _jittered(array: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Coordinates and data moved by some units in the last place: how far values move tells how exact they are."""
    if array.dtype.kind != "f":
        return array
    step = 4 * float(np.finfo(np.float32).eps) * float(np.abs(array).max(initial=0.0))
    return array + (step * generator.choice([-1.0, 1.0], array.shape)).astype(array.dtype)


def _part_size(arrays: Sequence[Any]) -> int:
    lengths = {length for array in arrays for length in np.shape(array)}
    free = (size for size in _PART_SIZES if not lengths & {size, _PARTS * size})
    return next(free, _PART_SIZES[0])


def _precision(program: Program) -> float:
    """The unit in the last place of the shortest numbers that models work with."""
    leaves = jax.tree_util.tree_leaves({model.layer_id: model.module for model in program.models})
    types = [leaf.dtype for leaf in leaves if eqx.is_inexact_array(leaf)]
    types += [model.controls.dtype for model in program.models if model.controls.dtype is not None]
    return max((float(jnp.finfo(dtype).eps) for dtype in types), default=0.0)


def _without_dropout(module: PyTree) -> PyTree:
    """A module that draws nothing, and otherwise does what it does in training."""
    is_dropout = lambda part: isinstance(part, eqx.nn.Dropout)  # noqa: E731
    still = lambda part: eqx.nn.inference_mode(part) if is_dropout(part) else part  # noqa: E731
    return jax.tree_util.tree_map(still, module, is_leaf=is_dropout)
