"""Evaluating a program outside training: once, or for every draw of the models that have some."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex
from jaxtyping import Array, PyTree

from jno.architectures import with_leaves
from jno.trace import Model, Node
from jno.utils import equations_within

from ._graph import models_of
from ._program import Program
from ._types import Arrays, Key, Modules

_CHUNK_BYTES = 64 * 2**20
"""Memory that the intermediate results of one chunk of draws may need."""

_ALIVE = 8
"""How many intermediate results of the largest size are taken to exist at the same time."""


@dataclasses.dataclass(frozen=True)
class _StaticLeaves:
    """What of modules is not an array: compared to find out whether a compiled function fits."""

    leaves: tuple[Any, ...]
    structure: jax.tree_util.PyTreeDef


class OverModules:
    """A jitted ``function(modules, *arrays)``.

    What it compiled is forgotten with it, while `equinox.filter_jit` remembers functions, and with them whole domains,
    for the rest of the process.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._compiled = jax.jit(functools.partial(self._combined, function), static_argnums=1)

    @staticmethod
    def _combined(function: Callable[..., Any], arrays: PyTree, static: _StaticLeaves, *arguments: PyTree) -> Any:
        modules = eqx.combine(arrays, jax.tree_util.tree_unflatten(static.structure, static.leaves))
        return function(modules, *arguments)

    def __call__(self, modules: Modules, *arguments: PyTree) -> Any:
        """The function's result."""
        arrays, static = eqx.partition(modules, eqx.is_array)
        leaves, structure = jax.tree_util.tree_flatten(static)
        return self._compiled(arrays, _StaticLeaves(tuple(leaves), structure), *arguments)


class PointEvaluator:
    """A program with the weights in the modules."""

    def __init__(self, program: Program) -> None:
        self._function = OverModules(lambda modules, data, key: program.with_sample_axis(program(modules, data, key)))

    def __call__(self, modules: Modules, data: Arrays, key: Key | None) -> list[Array]:
        """The values as users see them."""
        return self._function(modules, data, key)


_Draws = dict[int, PyTree]
"""Drawn leaves by model."""


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Number of draws in a chunk, and shapes of the results of one draw."""

    size: int
    shapes: list[jax.ShapeDtypeStruct]


class DrawEvaluator:
    """A program for every draw of its models: vectorised over as many as fit into a fixed amount of memory.

    Results are gathered on the host, so that only those of one chunk are on the device at a time.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._chunk = OverModules(self._of_chunk)
        self._plans: dict[int, _Plan] = {}

    def __call__(self, modules: Modules, data: Arrays, key: Key | None) -> list[Array]:
        """The values as users see them, with leading axes ``(chains, draws)``, of one chain ``(draws,)``."""
        draws = {model.layer_id: model.posterior_samples for model in models_with_draws(self._program.roots)}
        chains, count = _common_shape(self._program.models)
        total = chains * count
        flat = jax.tree_util.tree_map(lambda leaf: jnp.reshape(leaf, (total, *leaf.shape[2:])), draws)
        plan = self._planned(total, flat, modules, data, key)
        gathered = [np.empty((total, *shape.shape), shape.dtype) for shape in plan.shapes]
        for start in range(0, total, plan.size):
            # the last chunk begins early, so that all have one shape
            chunk = slice(min(start, total - plan.size), min(start + plan.size, total))
            of_chunk = jax.tree_util.tree_map(lambda leaf, chunk=chunk: leaf[chunk], flat)
            for result, values in zip(gathered, self._chunk(modules, of_chunk, data, key), strict=True):
                result[chunk] = values
        axes = (count,) if chains == 1 else (chains, count)
        return [jnp.asarray(result.reshape(*axes, *result.shape[1:])) for result in gathered]

    def _of_chunk(self, modules: Modules, draws: _Draws, data: Arrays, key: Key | None) -> list[Array]:
        return jax.vmap(lambda draw: self._of_one(draw, modules, data, key))(draws)

    def _of_one(self, draw: _Draws, modules: Modules, data: Arrays, key: Key | None) -> list[Array]:
        drawn = {layer_id: with_leaves(modules[layer_id], leaves) for layer_id, leaves in draw.items()}
        return self._program.with_sample_axis(self._program({**modules, **drawn}, data, key))

    def _planned(self, total: int, draws: _Draws, modules: Modules, data: Arrays, key: Key | None) -> _Plan:
        if total not in self._plans:
            one = jax.tree_util.tree_map(lambda leaf: leaf[0], draws)
            trace = jax.make_jaxpr(lambda draw: self._of_one(draw, modules, data, key), return_shape=True)
            closed, shapes = trace(one)
            largest = max(_result_bytes(closed.jaxpr), default=1)
            self._plans[total] = _Plan(max(1, min(total, _CHUNK_BYTES // (_ALIVE * largest))), shapes)
        return self._plans[total]


def models_with_draws(nodes: Sequence[Node]) -> list[Model]:
    """The models below the nodes that have draws."""
    return [model for model in models_of(nodes) if model.posterior_samples is not None]


def _common_shape(models: Sequence[Model]) -> tuple[int, int]:
    """Chains and draws.

    Raises:
        ValueError: models with different numbers of them.
    """
    shapes = {
        model.model_key: jax.tree_util.tree_leaves(model.posterior_samples)[0].shape[:2]
        for model in models
        if model.posterior_samples is not None
    }
    if len(set(shapes.values())) > 1:
        described = ", ".join(f"{name} {chains} x {count}" for name, (chains, count) in shapes.items())
        raise ValueError(
            f"models of one expression have different numbers of chains x draws ({described}), so their draws cannot "
            "be taken together; sample them in one solve(), or use samples='point'"
        )
    return next(iter(shapes.values()))


def _result_bytes(jaxpr: jex.Jaxpr) -> Iterator[int]:
    """Sizes of all results of a jaxpr and of those it holds."""
    for outer in jaxpr.eqns:
        for equation in (outer, *equations_within(outer)):
            for variable in equation.outvars:
                aval: Any = variable.aval
                size = aval.dtype.itemsize if isinstance(aval.dtype, np.dtype) else 8  # a random key has no itemsize
                yield math.prod(aval.shape) * size
