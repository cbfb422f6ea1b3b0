"""Means over points, block of points by block of points: what is in flight stays in the processor's cache.

The loss of a mean over points and its gradient are sums over blocks of points, so training may finish a block, gradient
included, before it begins the next.  Measured on two CPU cores with Taylor passes through tanh networks (Adam steps,
10,000 points and more) this takes 0.6 of the time and a tenth of the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jno.trace import Derivative, ModelCall, Noise, Reduction, TensorTag, WeightedMean, walk

from ._graph import spatial_tags
from ._pointwise import has_many_points
from ._program import Program
from ._requests import is_planned
from ._types import AnyArray, Arrays, Key, Modules, Name

_OF_RESIDUAL: dict[str, Callable[[Array], Array]] = {
    "mse": jnp.square,
    "mae": jnp.abs,
    "mean": lambda values: values,
}
"""What each mean over points is the mean of."""

BLOCK_BYTES = 2**21
"""Size of all coefficients of one layer that a block is cut to."""

_FEWEST_COEFFICIENTS = 4
"""A pass carries a value and some derivatives; more where it has more directions."""

_ALL: Mapping[str, int] = {}
"""Every evaluation sees all points."""

_FEWEST = 4
"""Fewer blocks are not worth a loop."""


class PointBlocks:
    """The constraints of a program as sums over blocks.

    Args:
        program: constraints that are all means over the points of a tag, or over parameters only.
        tags: the tag of each constraint, ``""`` without one.
        count: number of blocks.
        sizes: number of points by tag, of tags that an evaluation sees some points of.
    """

    def __init__(self, program: Program, tags: Sequence[str], count: int, sizes: Mapping[str, int]) -> None:
        self.count = count
        self._program = program
        self._tags = list(tags)
        means = _unweighted_means(program)
        self._means = [_OF_RESIDUAL[mean.reduction] for mean in means]
        targets = [mean.residual for mean in means]
        self._targets = Program(
            targets,
            program.domain,
            window=1,
            context=program.context,
            graph=program.graph,
            pointwise_only=True,
            precomputed=program.precomputed,
        )
        points = {tag: self._targets.sources["points", tag].shape[-2] for tag in tags if tag}
        self._sizes = {**points, **sizes}

    def split(self, data: Arrays) -> tuple[dict[Name, Array], dict[Name, AnyArray]]:
        """Arrays over points with a leading axis of blocks, the last filled up with copies of a point; other arrays."""
        blocked: dict[Name, Array] = {}
        unblocked: dict[Name, AnyArray] = {}
        for name, array in data.items():
            if name[0] == "points" or self._program.holds_at_points(name):
                blocked[name] = self._cut(jnp.asarray(array))
            else:
                unblocked[name] = array
        return blocked, unblocked

    def _cut(self, array: Shaped[Array, "B T N ..."]) -> Shaped[Array, "blocks B T n ..."]:
        count = array.shape[2]
        size = -(-count // self.count)
        filled = jnp.concatenate([array, jnp.repeat(array[:, :, -1:], size * self.count - count, axis=2)], axis=2)
        return jnp.moveaxis(filled.reshape(*array.shape[:2], self.count, size, *array.shape[3:]), 2, 0)

    def losses(
        self, modules: Modules, data: Arrays, block: int | Int[Array, ""], key: Key | None
    ) -> Float[Array, " C"]:
        """What one block adds to every constraint, ``(C,)``.

        Raises:
            NotPointwiseError: a value turns out not to run over points.
        """
        values = self._targets(modules, data, None if key is None else jax.random.fold_in(key, block))
        shares = zip(self._tags, self._means, values, strict=True)
        return jnp.stack([self._share(tag, mean(value), block) for tag, mean, value in shares])

    def _share(self, tag: str, terms: Shaped[Array, ...], block: int | Int[Array, ""]) -> Shaped[Array, ""]:
        if not tag:
            return jnp.mean(terms) / self.count
        total, size = self._sizes[tag], terms.shape[1]
        rows = terms.reshape(size, -1)
        real = jnp.arange(size) + block * size < total
        return jnp.sum(jnp.where(real[:, None], rows, 0)) / (total * rows.shape[1])


def blocks_for(program: Program, sizes: Mapping[str, int] = _ALL) -> PointBlocks | None:
    """How to cut the points of a program into blocks, or ``None`` where that is impossible or not worth it.

    Args:
        program: the constraints.
        sizes: number of points by tag, of tags that an evaluation sees some points of.
    """
    if jax.default_backend() != "cpu" or program.layout.samples * program.layout.levels > 1:
        return None
    means = _unweighted_means(program)
    if len(means) < len(program.roots):
        return None
    if any(isinstance(node, TensorTag | Noise) for node in walk(program.roots)) or program.noise_streams:
        return None
    count = math.ceil(_bytes_per_layer(program, sizes) / BLOCK_BYTES)
    if count < _FEWEST or not has_many_points(program):
        return None
    tags = [program.facts.point_tags[id(mean.residual)] for mean in means]
    if any(tag is None for tag in tags) or any(len(spatial_tags([root])) > 1 for root in program.roots):
        return None
    return PointBlocks(program, [tag or "" for tag in tags], count, sizes)


def _unweighted_means(program: Program) -> list[WeightedMean]:
    """The constraints that are ``residual.mse``, ``.mae`` or ``.mean``."""
    means = [WeightedMean.of(root) for root in program.roots if isinstance(root, Reduction)]
    return [mean for mean in means if mean is not None]


def _bytes_per_layer(program: Program, sizes: Mapping[str, int]) -> int:
    """Estimate for the widest layer: points × width × coefficients."""
    counts = {tag: array.shape[-2] for (kind, tag), array in program.sources.items() if kind == "points"}
    rows = max({**counts, **{tag: sizes[tag] for tag in sizes.keys() & counts.keys()}}.values(), default=0)
    widths = [
        max(leaf.shape)
        for node in walk(program.roots)
        if isinstance(node, ModelCall)
        for leaf in jax.tree_util.tree_leaves(eqx.filter(node.model.module, eqx.is_inexact_array))
        if leaf.ndim > 1
    ]
    planned = (node for node in walk(program.roots) if isinstance(node, Derivative) and is_planned(node))
    directions = {id(variable) for node in planned for variable in node.variables}
    coefficients = max(len(directions), _FEWEST_COEFFICIENTS)
    return rows * max(widths, default=0) * coefficients * np.dtype(np.float32).itemsize
